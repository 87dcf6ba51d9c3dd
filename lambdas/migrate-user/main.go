// Command migrate-user is the target pool's user migration trigger: see package
// internal/trigger for what it decides.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("migrate-user", lambdas.MigrateUser) }
