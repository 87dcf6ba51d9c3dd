package rehearsal

import (
	"bytes"
	"context"
	"text/template"

	"poolferry/internal/config"
)

// What poolferry.yaml says of the run.
const (
	runID         = "rehearsal"
	stagingBucket = "poolferry-rehearsal"
)

var sample = template.Must(template.New("poolferry.yaml").Parse(`# A migration on the poolferry sandbox. It serves as long as that sandbox runs.
version: 1
run: {{.Run}}
source:
  region: {{.Source.Region}}
  account: "{{.Source.Account}}"
  pool_id: {{.Source.PoolID}}
  client_id: {{.Source.Client.ID}}
  client_secret: {{.ClientSecret}}
  login_role_arn: {{.LoginRole}}
  export_role_arn: {{.ExportRole}}
  external_id: {{.ExternalID}}
  # The client reads every attribute and no trigger changes the tokens.
  profile: id_token
target:
  region: {{.Target.Region}}
  pool_id: {{.Target.PoolID}}
  sms_mfa: true
mapping:
  rules:
    - rename: {from: "custom:field_01", to: "custom:plan"}
    - default: {to: locale, value: en-GB}
    - lower: email
mfa_policy: verify
# Nobody else lists the users of this source pool, or uses the target's account.
pace:
  user_list: 30
  user_read: {{.Unhurried}}
  user_update: {{.Unhurried}}
  user_resource_read: {{.Unhurried}}
  user_resource_update: {{.Unhurried}}
  quota_raised: true
audit:
  name_key: {{.NameKey}}
staging:
  bucket: {{.Bucket}}
tail:
  import_log_role_arn: {{.ImportLogRole}}
cutover:
  probe_username: {{.ProbeName}}
  probe_password: env:{{.ProbePassword}}
  probe_client_id: {{.Target.Client.ID}}
`))

// configure writes the poolferry.yaml and reads it back, as an operator's file
// is read.
func (w *World) configure(ctx context.Context) error {
	var text bytes.Buffer
	clientSecret, nameKey := w.references()
	err := sample.Execute(&text, map[string]any{
		"Source": w.Source, "Target": w.Target, "ExternalID": externalID,
		"LoginRole": roleARN(w.Source.Account, loginRole), "ExportRole": roleARN(w.Source.Account, exportRole),
		"ClientSecret": clientSecret, "NameKey": nameKey, "Run": runID, "Bucket": stagingBucket,
		"Unhurried": unhurried, "ProbeName": probeName, "ProbePassword": probePasswordName, "ImportLogRole": roleARN(w.Target.Account, importLog),
	})
	if err != nil {
		return err
	}
	w.YAML = text.Bytes()
	if w.Config, err = config.Parse("poolferry.yaml", w.YAML); err != nil {
		return err
	}
	if w.options.Change != nil {
		w.options.Change(w.Config)
		if w.YAML, err = w.Config.Marshal(); err != nil {
			return err
		}
		if w.Config, err = config.Parse("poolferry.yaml", w.YAML); err != nil {
			return err
		}
	}
	return w.readSecrets(ctx)
}
