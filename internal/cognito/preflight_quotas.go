package cognito

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"

	"poolferry/internal/preflight"
)

// Quotas are Cognito's quotas in the account and a region.
type Quotas struct{ client *servicequotas.Client }

var _ preflight.Quotas = (*Quotas)(nil)

// NewQuotas returns the quotas of a region. No call is made.
func NewQuotas(account *Account, region string) *Quotas {
	return &Quotas{servicequotas.NewFromConfig(account.assume(Role{}, region))}
}

// Quotas returns requests per second by category, such as UserList. Service Quotas
// names them "Rate of UserList requests".
func (q *Quotas) Quotas(ctx context.Context) (map[string]float64, error) {
	rates := map[string]float64{}
	pages := servicequotas.NewListServiceQuotasPaginator(q.client, &servicequotas.ListServiceQuotasInput{ServiceCode: aws.String("cognito-idp")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, classify(fmt.Errorf("list quotas of Cognito: %w", err))
		}
		for _, quota := range page.Quotas {
			name, isRate := strings.CutPrefix(aws.ToString(quota.QuotaName), "Rate of ")
			if category, ok := strings.CutSuffix(name, " requests"); isRate && ok && quota.Value != nil {
				rates[category] = *quota.Value
			}
		}
	}
	return rates, nil
}
