// Command plan-seeding plans a seeding: see Plan in package internal/seeding.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("plan-seeding", lambdas.PlanSeeding) }
