// Command settle-users gives users who have arrived what the trigger cannot carry: see Step in package internal/settle.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("settle-users", lambdas.SettleUsers) }
