// Package secretsmanager is the sandbox's AWS Secrets Manager as far as reading
// secrets goes.
//
// Vocabulary: a secret has a name and an ARN, which is the name with a suffix
// that Secrets Manager chooses; a secret id is one or the other, or the ARN
// without its suffix; a version is one value that the secret has had, of which
// AWSCURRENT labels the last and AWSPREVIOUS the one before. Clients only read:
// the program that runs the sandbox creates secrets and changes them.
package secretsmanager
