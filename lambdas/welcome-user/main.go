// Command welcome-user puts somebody who has just moved into their groups: see Welcomer in package internal/hook.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("welcome-user", lambdas.WelcomeUser) }
