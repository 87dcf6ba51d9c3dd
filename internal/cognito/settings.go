package cognito

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"golang.org/x/time/rate"

	"poolferry/internal/cutover"
	"poolferry/internal/fault"
	"poolferry/internal/userpool"
)

// Cognito describes a subject with one shape and updates it with another. What
// both have under one name is a setting; the tables below hold the rest, each with
// the reason, and a test refuses a member of the SDK that is in none of them.

// describedOnly are members of a description that no update takes.
var describedOnly = map[string]map[string]string{
	"UserPoolType": {
		"Id":                        "names the pool",
		"Arn":                       "names the pool",
		"Name":                      "PoolName of the update",
		"CreationDate":              "is not set by anybody",
		"LastModifiedDate":          "is not set by anybody",
		"EstimatedNumberOfUsers":    "is counted",
		"Status":                    "no longer used",
		"AliasAttributes":           "fixed when the pool is made",
		"UsernameAttributes":        "fixed when the pool is made",
		"UsernameConfiguration":     "fixed when the pool is made",
		"SchemaAttributes":          "only ever added to, by AddCustomAttributes",
		"Domain":                    "of CreateUserPoolDomain",
		"CustomDomain":              "of CreateUserPoolDomain",
		"EmailConfigurationFailure": "says what went wrong",
		"SmsConfigurationFailure":   "says what went wrong",
	},
	"UserPoolClientType": {
		"ClientId":         "names the client",
		"UserPoolId":       "names the pool",
		"ClientSecret":     "is a secret; it stays as it is in an update",
		"CreationDate":     "is not set by anybody",
		"LastModifiedDate": "is not set by anybody",
	},
	"GetUserPoolMfaConfigOutput": {
		"ResultMetadata": "of the SDK",
	},
}

// updatedOnly are members of an update that no description has.
var updatedOnly = map[string]map[string]string{
	"UpdateUserPoolInput": {
		"UserPoolId": "names the pool",
		"PoolName":   "Name of the description",
	},
	"UpdateUserPoolClientInput": {
		"ClientId":   "names the client",
		"UserPoolId": "names the pool",
	},
	"SetUserPoolMfaConfigInput": {
		"UserPoolId": "names the pool",
	},
}

// SettingsOptions name the pool.
type SettingsOptions struct {
	Region string
	PoolID string
	// PerSecond is how often an operation on the clients may be called; 0 means as
	// often as preflight does.
	PerSecond float64
}

// PoolSettings reads and writes all settings of the target pool and its app
// clients. Nothing that it returns holds a client's secret.
type PoolSettings struct {
	client *cip.Client
	poolID string
	turns  *rate.Limiter
}

var _ cutover.Pool = (*PoolSettings)(nil)

// NewPoolSettings returns the settings of a pool of the account. No call is made.
func NewPoolSettings(account *Account, o SettingsOptions) *PoolSettings {
	cfg := account.assume(Role{}, o.Region)
	cfg.RetryMaxAttempts = describeAttempts // of a handful of requests
	cfg.HTTPClient = awshttp.NewBuildableClient().WithTimeout(listTimeout)
	if o.PerSecond == 0 {
		o.PerSecond = clientsPerSecond
	}
	return &PoolSettings{client: newClient(cfg), poolID: o.PoolID, turns: rate.NewLimiter(rate.Limit(o.PerSecond), clientsPerSecond)}
}

// ReadPool reads what UpdateUserPool takes.
func (p *PoolSettings) ReadPool(ctx context.Context) (cutover.Settings, error) {
	out, err := p.client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &p.poolID})
	if err != nil {
		return nil, absent(fmt.Errorf("describe pool %s: %w", p.poolID, err))
	}
	if out.UserPool == nil {
		return nil, fault.New(fault.Unavailable, "describe pool %s: empty answer", p.poolID)
	}
	var in cip.UpdateUserPoolInput
	if err := carry(out.UserPool, &in); err != nil {
		return nil, err
	}
	in.PoolName = out.UserPool.Name
	// The description repeats the validity of temporary passwords under its older
	// name, and an update with both is refused (AdminCreateUserConfigType reference).
	if in.AdminCreateUserConfig != nil && in.Policies != nil && in.Policies.PasswordPolicy != nil && in.Policies.PasswordPolicy.TemporaryPasswordValidityDays > 0 {
		in.AdminCreateUserConfig.UnusedAccountValidityDays = 0
	}
	return settingsOf(in), nil
}

// WritePool updates the pool with all of its settings.
func (p *PoolSettings) WritePool(ctx context.Context, s cutover.Settings) error {
	var in cip.UpdateUserPoolInput
	if err := into(s, &in); err != nil {
		return fault.New(fault.Invalid, "update pool %s: %w", p.poolID, err)
	}
	in.UserPoolId = &p.poolID
	_, err := p.client.UpdateUserPool(ctx, &in)
	return p.refused("update pool "+p.poolID, err)
}

// ReadFactors reads what SetUserPoolMfaConfig takes.
func (p *PoolSettings) ReadFactors(ctx context.Context) (cutover.Settings, error) {
	out, err := p.client.GetUserPoolMfaConfig(ctx, &cip.GetUserPoolMfaConfigInput{UserPoolId: &p.poolID})
	if err != nil {
		return nil, absent(fmt.Errorf("read second factors of pool %s: %w", p.poolID, err))
	}
	var in cip.SetUserPoolMfaConfigInput
	if err := carry(out, &in); err != nil {
		return nil, err
	}
	return settingsOf(in), nil
}

// WriteFactors sets all second factors.
func (p *PoolSettings) WriteFactors(ctx context.Context, s cutover.Settings) error {
	var in cip.SetUserPoolMfaConfigInput
	if err := into(s, &in); err != nil {
		return fault.New(fault.Invalid, "set second factors of pool %s: %w", p.poolID, err)
	}
	in.UserPoolId = &p.poolID
	_, err := p.client.SetUserPoolMfaConfig(ctx, &in)
	return p.refused("set second factors of pool "+p.poolID, err)
}

// ReadClients reads what UpdateUserPoolClient takes, of every client.
func (p *PoolSettings) ReadClients(ctx context.Context) ([]cutover.Client, error) {
	var all []cutover.Client
	pages := cip.NewListUserPoolClientsPaginator(p.client, &cip.ListUserPoolClientsInput{UserPoolId: &p.poolID, MaxResults: aws.Int32(60)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, absent(fmt.Errorf("list clients of pool %s: %w", p.poolID, err))
		}
		for _, description := range page.UserPoolClients {
			s, err := p.ReadClient(ctx, aws.ToString(description.ClientId))
			if fault.KindOf(err) == fault.NotFound {
				continue // deleted meanwhile
			}
			if err != nil {
				return nil, err
			}
			all = append(all, cutover.Client{ID: aws.ToString(description.ClientId), Name: aws.ToString(description.ClientName), Settings: s})
		}
	}
	return all, nil
}

// ReadClient reads what UpdateUserPoolClient takes.
func (p *PoolSettings) ReadClient(ctx context.Context, id string) (cutover.Settings, error) {
	s, _, err := p.describe(ctx, id)
	return s, err
}

// Secret reads the secret of a client, empty where it has none.
func (p *PoolSettings) Secret(ctx context.Context, id string) (userpool.Secret, error) {
	_, secret, err := p.describe(ctx, id)
	return secret, err
}

// describe is where a client's settings and its secret part.
func (p *PoolSettings) describe(ctx context.Context, id string) (cutover.Settings, userpool.Secret, error) {
	if err := p.turns.Wait(ctx); err != nil {
		return nil, userpool.Secret{}, fault.New(fault.Unavailable, "describe client %s of pool %s: %w", id, p.poolID, err)
	}
	out, err := p.client.DescribeUserPoolClient(ctx, &cip.DescribeUserPoolClientInput{UserPoolId: &p.poolID, ClientId: &id})
	if err != nil {
		return nil, userpool.Secret{}, absent(fmt.Errorf("describe client %s of pool %s: %w", id, p.poolID, err))
	}
	if out.UserPoolClient == nil {
		return nil, userpool.Secret{}, fault.New(fault.Unavailable, "describe client %s of pool %s: empty answer", id, p.poolID)
	}
	secret := userpool.NewSecret(aws.ToString(out.UserPoolClient.ClientSecret))
	out.UserPoolClient.ClientSecret = nil
	var in cip.UpdateUserPoolClientInput
	if err := carry(out.UserPoolClient, &in); err != nil {
		return nil, secret, err
	}
	in.ClientId, in.UserPoolId = nil, nil
	return settingsOf(in), secret, nil
}

// WriteClient updates a client with all of its settings.
func (p *PoolSettings) WriteClient(ctx context.Context, id string, s cutover.Settings) error {
	if err := p.turns.Wait(ctx); err != nil {
		return fault.New(fault.Unavailable, "update client %s of pool %s: %w", id, p.poolID, err)
	}
	var in cip.UpdateUserPoolClientInput
	if err := into(s, &in); err != nil {
		return fault.New(fault.Invalid, "update client %s of pool %s: %w", id, p.poolID, err)
	}
	in.UserPoolId, in.ClientId = &p.poolID, &id
	_, err := p.client.UpdateUserPoolClient(ctx, &in)
	return p.refused(fmt.Sprintf("update client %s of pool %s", id, p.poolID), err)
}

// refused classifies the error of an update, with the next step where there is
// one.
func (p *PoolSettings) refused(what string, err error) error {
	switch Code(err) {
	case "UserImportInProgressException":
		return fault.New(fault.Conflict, "%s: users are being imported into the pool, and until that has ended Cognito changes nothing: wait for it, then try again: %w", what, err)
	case "ConcurrentModificationException":
		return fault.New(fault.Conflict, "%s: somebody else is changing it: try again: %w", what, err)
	}
	if err == nil {
		return nil
	}
	return absent(fmt.Errorf("%s: %w", what, err))
}

// carry copies what two structs of the SDK have under one name. A pointer on one
// side is followed.
func carry(from, to any) error {
	source, target := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i := range target.NumField() {
		field := target.Type().Field(i)
		value := source.FieldByName(field.Name)
		if !field.IsExported() || !value.IsValid() {
			continue
		}
		switch into := target.Field(i); {
		case value.Type() == into.Type():
			into.Set(value)
		case value.Kind() == reflect.Pointer && value.Type().Elem() == into.Type():
			if !value.IsNil() {
				into.Set(value.Elem())
			}
		default:
			return fault.New(fault.Internal, "%s is %s in %s and %s in %s", field.Name, value.Type(), source.Type(), into.Type(), target.Type())
		}
	}
	return nil
}

// settingsOf is a struct of the SDK without what is not set. Pointers that are
// nil, texts, numbers, lists and maps that are empty are not sent by the SDK
// either; a boolean that is false says as much in an object that is there.
func settingsOf(v any) cutover.Settings {
	object, _ := plain(reflect.ValueOf(v)).(map[string]any)
	return object
}

func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.Struct {
			return plain(v.Elem())
		}
		return scalar(v.Elem(), true)
	case reflect.Struct:
		object := map[string]any{}
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() {
				if value := plain(v.Field(i)); value != nil {
					object[field.Name] = value
				}
			}
		}
		if len(object) == 0 {
			return nil
		}
		return object
	case reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}
		return list
	case reflect.Map:
		if v.Len() == 0 {
			return nil
		}
		object := map[string]any{}
		for name, value := range v.Seq2() {
			object[name.String()] = scalar(value, true) // a tag may be empty
		}
		return object
	default:
		return scalar(v, false)
	}
}

// scalar is a text, number or boolean; nil for an empty one that nobody set.
func scalar(v reflect.Value, set bool) any {
	switch v.Kind() {
	case reflect.String:
		if v.String() == "" && !set {
			return nil
		}
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int32, reflect.Int64:
		if v.Int() == 0 && !set {
			return nil
		}
		return json.Number(strconv.FormatInt(v.Int(), 10))
	default:
		panic("cognito: no settings of type " + v.Type().String()) // a member of a new type in the SDK: a test finds it first
	}
}

// into reads settings back into a struct of the SDK. A field that it does not
// have is an error: it would be lost.
func into(s cutover.Settings, in any) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(in)
}

// probeTimeout is how long one step of a sign-in may take: the pool may call
// triggers.
const probeTimeout = 20 * time.Second
