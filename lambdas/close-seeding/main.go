// Command close-seeding closes a generation of the manifest: see Close in package internal/seeding.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("close-seeding", lambdas.CloseSeeding) }
