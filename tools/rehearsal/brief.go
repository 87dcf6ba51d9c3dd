package rehearsal

import (
	"fmt"
	"io"
	"strings"

	"poolferry/internal/sandbox/crowd"
)

// Brief is what somebody needs to know who wants to use a sandbox: the JSON
// object of poolferry sandbox --json. It holds secrets in plain text, which are
// made up like the people: they open nothing but this sandbox. Members are only
// ever added.
type Brief struct {
	Version  int           `json:"version"`
	Endpoint string        `json:"endpoint"`
	Source   SiteBrief     `json:"source"`
	Target   SiteBrief     `json:"target"`
	Users    int           `json:"users"`
	Sample   *SampleSignIn `json:"sample_sign_in,omitempty"` // a user of the source, who can sign in at the target
	Config   string        `json:"config,omitempty"`         // the poolferry.yaml that was written
	Function string        `json:"migration_trigger"`        // ARN
	Probe    string        `json:"probe_password"`           // of the user by whom a cut-over is proven
}

// SiteBrief is one pool.
type SiteBrief struct {
	Account         string `json:"account"`
	Region          string `json:"region"`
	PoolID          string `json:"pool_id"`
	ClientID        string `json:"client_id"`
	ClientSecret    string `json:"client_secret,omitempty"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

// SampleSignIn is what one user types.
type SampleSignIn struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// Brief describes the world. file is where its poolferry.yaml was written, or "".
func (w *World) Brief(file string) Brief {
	b := Brief{
		Version: 1, Endpoint: w.Endpoint, Source: w.Source.brief(), Target: w.Target.brief(), Users: len(w.People), Config: file,
		Function: w.functionARN(migrateUser), Probe: w.ProbePassword().Reveal(),
	}
	for _, p := range w.People {
		if p.Kind == crowd.Plain {
			b.Sample = &SampleSignIn{p.Name, p.Password.Reveal()}
			break
		}
	}
	return b
}

func (s Site) brief() SiteBrief {
	return SiteBrief{
		Account: s.Account, Region: s.Region, PoolID: s.PoolID, ClientID: s.Client.ID, ClientSecret: s.Client.Secret.Reveal(),
		AccessKeyID: s.Operator.AccessKeyID, SecretAccessKey: s.Operator.SecretAccessKey.Reveal(),
	}
}

// WriteText writes the brief for a person, with lines to paste into a shell.
func (b Brief) WriteText(w io.Writer) error {
	var t strings.Builder
	fmt.Fprintf(&t, "A local AWS at %s\n\n", b.Endpoint)
	for _, site := range []struct {
		label string
		SiteBrief
	}{{"source", b.Source}, {"target", b.Target}} {
		fmt.Fprintf(&t, "  %s  account %s, region %s\n", site.label, site.Account, site.Region)
		fmt.Fprintf(&t, "          pool %s, app client %s\n", site.PoolID, site.ClientID)
		if site.ClientSecret != "" {
			fmt.Fprintf(&t, "          client secret %s\n", site.ClientSecret)
		}
	}
	fmt.Fprintf(&t, "\nThe source pool has %d users, the target pool migrates them as they sign in.\n", b.Users)

	fmt.Fprintf(&t, "\nLook at the users of the source pool:\n\n%s", export(b.Source))
	fmt.Fprintf(&t, "  aws cognito-idp list-users --endpoint-url %s --region %s --user-pool-id %s --limit 5\n", b.Endpoint, b.Source.Region, b.Source.PoolID)
	if b.Sample != nil {
		fmt.Fprintf(&t, "\nSign in at the target as one of them, which moves the user:\n\n%s", export(b.Target))
		fmt.Fprintf(&t, "  aws cognito-idp initiate-auth --endpoint-url %s --region %s --client-id %s \\\n", b.Endpoint, b.Target.Region, b.Target.ClientID)
		fmt.Fprintf(&t, "    --auth-flow USER_PASSWORD_AUTH --auth-parameters 'USERNAME=%s,PASSWORD=%s'\n", b.Sample.Name, b.Sample.Password)
	}
	if b.Config != "" && b.Sample != nil {
		fmt.Fprintf(&t, "\nAsk what would happen to somebody:\n\n%s", export(b.Target))
		fmt.Fprintf(&t, "  export AWS_ENDPOINT_URL=%s\n  poolferry explain --config %s %s\n", b.Endpoint, b.Config, b.Sample.Name)
	}
	if b.Config != "" {
		fmt.Fprintf(&t, "\nLook what a cut-over would change, and what is in its way:\n\n")
		fmt.Fprintf(&t, "  export %s='%s'\n  poolferry cutover plan --config %s\n", probePasswordName, b.Probe, b.Config)
	}
	_, err := io.WriteString(w, t.String()+"\n")
	return err
}

func export(s SiteBrief) string {
	return fmt.Sprintf("  export AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_SESSION_TOKEN=\n", s.AccessKeyID, s.SecretAccessKey)
}
