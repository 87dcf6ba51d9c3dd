package rehearsal

import (
	"context"
	"os"

	"poolferry/infra"
	"poolferry/internal/config"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Names of the environment variables and of the secrets of Secrets Manager that
// hold the secrets.
const (
	clientSecretName = "POOLFERRY_CLIENT_SECRET"
	nameKeyName      = "POOLFERRY_NAME_KEY"

	clientSecretID = "poolferry/client-secret"
	nameKeyID      = "poolferry/name-key"
)

// nameKey keys the hashes of an audit trail that speaks of made-up people.
const nameKey = "rehearsal-name-key-0123456789abcdef"

// references are what the poolferry.yaml says of the secrets.
func (w *World) references() (clientSecret, nameKey string) {
	if w.options.SecretsManager {
		return "secretsmanager:" + clientSecretID, "secretsmanager:" + nameKeyID
	}
	return "env:" + clientSecretName, "env:" + nameKeyName
}

// stored are the secrets by their names in Secrets Manager.
func (w *World) stored() map[string]userpool.Secret {
	return map[string]userpool.Secret{clientSecretID: w.Source.Client.Secret, nameKeyID: userpool.NewSecret(nameKey)}
}

// createSecrets puts the secrets into Secrets Manager and lets the migration
// trigger read them, and the guard the key of the audit trail.
func (w *World) createSecrets() error {
	if !w.options.SecretsManager {
		return nil
	}
	for _, name := range []string{clientSecretID, nameKeyID} {
		arn, err := w.SecretsManager.CreateSecret(w.Target.Account, w.Target.Region, name, w.stored()[name])
		if err != nil {
			return err
		}
		read := policy{infra.Secrets, map[string]string{"secret_arn": arn}}
		w.secretPolicies = append(w.secretPolicies, read)
		if name == nameKeyID {
			w.namePolicies = append(w.namePolicies, read)
		}
	}
	return nil
}

// readSecrets reads what the configuration refers to.
func (w *World) readSecrets(ctx context.Context) (err error) {
	w.Secrets.NameKey = userpool.NewSecret(nameKey) // for the environment
	w.Secrets, err = w.Config.Secrets(ctx, config.Places{
		Env:  w.env(w.Target.Operator),
		File: os.ReadFile,
		Manager: func(_ context.Context, id string) ([]byte, error) { // no call: a world is built whatever its faults are
			if secret, ok := w.stored()[id]; ok {
				return []byte(secret.Reveal()), nil
			}
			return nil, fault.New(fault.NotFound, "the rehearsal has no secret %s", id)
		},
	})
	return err
}
