// Command legacy-claim puts the source sub of a user who has moved into tokens: see Claim in package internal/hook.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("legacy-claim", lambdas.LegacyClaim) }
