package cognitoidp_test

import (
	"testing"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

func TestDelete(t *testing.T) {
	w := newWorld(t)
	made := must(w.api.CreateUserPool(ctx, &cip.CreateUserPoolInput{PoolName: new("gone"), DeletionProtection: "ACTIVE"}))(t).UserPool
	client := func() *string {
		return must(w.api.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
			UserPoolId: made.Id, ClientName: new("app"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
		}))(t).UserPoolClient.ClientId
	}
	signIn := func(client *string) error {
		_, err := w.api.InitiateAuth(ctx, &cip.InitiateAuthInput{ClientId: client, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: map[string]string{"USERNAME": "a", "PASSWORD": "b"}})
		return err
	}
	first, second := client(), client()
	must(w.api.DeleteUserPoolClient(ctx, &cip.DeleteUserPoolClientInput{UserPoolId: made.Id, ClientId: first}))(t)
	_, err := w.api.DeleteUserPoolClient(ctx, &cip.DeleteUserPoolClientInput{UserPoolId: made.Id, ClientId: first})
	wants(t, err, "ResourceNotFoundException")
	wants(t, signIn(first), "ResourceNotFoundException")
	if left := must(w.api.ListUserPoolClients(ctx, &cip.ListUserPoolClientsInput{UserPoolId: made.Id}))(t).UserPoolClients; len(left) != 1 || *left[0].ClientId != *second {
		t.Errorf("clients left: %+v", left)
	}

	_, err = w.api.DeleteUserPool(ctx, &cip.DeleteUserPoolInput{UserPoolId: made.Id})
	wants(t, err, "InvalidParameterException")
	must(w.api.UpdateUserPool(ctx, &cip.UpdateUserPoolInput{UserPoolId: made.Id, DeletionProtection: "INACTIVE"}))(t)
	must(w.api.DeleteUserPool(ctx, &cip.DeleteUserPoolInput{UserPoolId: made.Id}))(t)
	_, err = w.api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: made.Id})
	wants(t, err, "ResourceNotFoundException")
	wants(t, signIn(second), "ResourceNotFoundException")
}
