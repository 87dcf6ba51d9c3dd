// Command match-names finds the names that belong to more than one user: see Match in package internal/reconcile.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("match-names", lambdas.MatchNames) }
