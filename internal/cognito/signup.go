package cognito

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"poolferry/internal/userpool"
)

// SignUp registers somebody, as people do by themselves: the pool's PreSignUp
// trigger is asked.
func (a *App) SignUp(ctx context.Context, name string, password userpool.Secret, attributes userpool.Attributes) error {
	in := &cip.SignUpInput{ClientId: &a.clientID, Username: &name, Password: aws.String(password.Reveal()), SecretHash: a.hash(name)}
	for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
		in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: &attribute, Value: aws.String(attributes[attribute])})
	}
	if _, err := a.client.SignUp(ctx, in); err != nil {
		return classify(fmt.Errorf("register at client %s: %w", a.clientID, err))
	}
	return nil
}
