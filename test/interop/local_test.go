package interop_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"poolferry/internal/sandbox/iam"
)

// localSpec says how to start a cognito-local.
type localSpec struct {
	// pools are the ids of its pools, each with its users. CreateUserPool would
	// make pools of a region "local", which no configuration of ours accepts, so
	// they are put into its database, as its README says.
	pools map[string]map[string]localUser
	// usernameAttributes are those of all pools.
	usernameAttributes []string
	// lambda is where it invokes function, with credentials; none without.
	lambda      string
	region      string
	credentials iam.Credentials
	function    string
}

// localUser is a user as cognito-local stores one, for states that none of its
// operations reach.
type localUser struct {
	Username             string
	Password             string
	Attributes           []localAttribute
	Enabled              bool
	UserStatus           string
	UserCreateDate       string
	UserLastModifiedDate string
	UserMFASettingList   []string            `json:",omitempty"`
	MFAOptions           []map[string]string `json:",omitempty"`
	RefreshTokens        []string
}

type localAttribute struct{ Name, Value string }

// local is a running cognito-local.
type local struct {
	*process
	url string
	dir string // working directory, with .cognito in it
	api *cip.Client
}

var serving = regexp.MustCompile(`running on http://[0-9.]+:[0-9]+`)

// startLocal starts a cognito-local on a free port.
func startLocal(t *testing.T, path string, spec localSpec) *local {
	t.Helper()
	l := &local{dir: t.TempDir()}
	config := map[string]any{
		"UserPoolDefaults": map[string]any{
			"UsernameAttributes":    append([]string{}, spec.usernameAttributes...),
			"UsernameConfiguration": map[string]bool{"CaseSensitive": false},
			"MfaConfiguration":      "OPTIONAL",
		},
	}
	if spec.function != "" {
		config["TriggerFunctions"] = map[string]string{"UserMigration": spec.function}
		config["LambdaClient"] = map[string]any{
			"endpoint": spec.lambda, "region": spec.region,
			"credentials": map[string]string{"accessKeyId": spec.credentials.AccessKeyID, "secretAccessKey": spec.credentials.SecretAccessKey.Reveal()},
		}
	}
	l.write(t, "config.json", config)
	for id, users := range spec.pools {
		if users == nil {
			users = map[string]localUser{}
		}
		l.write(t, "db/"+id+".json", map[string]any{"Users": users})
	}
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	leash := &url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(filepath.Dir(modules), "leash.mjs"))}
	cmd := exec.Command(path, "--import", leash.String(), filepath.Join(modules, "cognito-local/lib/bin/start.js"))
	cmd.Dir = l.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "HOST=127.0.0.1", "PORT=0", "AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE=1"}
	l.process = start(t, cmd)
	l.url = regexp.MustCompile(`http://.*`).FindString(l.await(t, serving))
	l.api = client(l.url, "eu-central-1", "nobody", "checks-this")
	return l
}

// write puts a JSON file into the folder that cognito-local reads.
func (l *local) write(t *testing.T, name string, content any) {
	t.Helper()
	data, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(l.dir, ".cognito", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// client is the AWS SDK for Go at an endpoint. It asks once.
func client(endpoint, region, key, secret string) *cip.Client {
	return cip.New(cip.Options{
		Region: region, BaseEndpoint: &endpoint, RetryMaxAttempts: 1,
		Credentials: aws.NewCredentialsCache(credentials.NewStaticCredentialsProvider(key, secret, "")),
	})
}
