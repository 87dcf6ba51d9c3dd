// Command guard-signup keeps people from registering under a name of somebody who is still to come: see Guard in package internal/hook.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("guard-signup", lambdas.GuardSignup) }
