// Command close-reconciliation ends a reconciliation: see Close in package internal/reconcile.
package main

import "poolferry/lambdas"

func main() { lambdas.Main("close-reconciliation", lambdas.CloseReconciliation) }
