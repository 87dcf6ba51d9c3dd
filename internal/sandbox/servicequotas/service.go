// Package servicequotas is as much of Service Quotas as tells the request rates
// of Cognito in an account and region.
//
// Vocabulary: a quota has a name such as "Rate of UserList requests" and a value,
// which is AWS's default until it is set.
package servicequotas

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"poolferry/internal/sandbox/wire"
)

// defaults are requests per second by category (Cognito Developer Guide, quotas).
var defaults = map[string]float64{
	"UserAuthentication": 120, "UserCreation": 50, "UserAccountRecovery": 30, "UserRead": 120, "UserUpdate": 25,
	"UserResourceRead": 50, "UserResourceUpdate": 25, "UserList": 30,
}

// Service is Service Quotas in all accounts and regions. It is safe for
// concurrent use.
type Service struct {
	mu     sync.Mutex
	values map[place]map[string]float64
}

type place struct{ account, region string }

var _ wire.Service = (*Service)(nil)

// New returns a service in which every quota has its default.
func New() *Service { return &Service{values: map[place]map[string]float64{}} }

// Set sets the quota of a category in an account and region.
func (s *Service) Set(account, region, category string, perSecond float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := place{account, region}
	if s.values[at] == nil {
		s.values[at] = maps.Clone(defaults)
	}
	s.values[at][category] = perSecond
}

// Name is the signing name.
func (*Service) Name() string { return "servicequotas" }

// Protocol is JSON 1.1.
func (*Service) Protocol() wire.Protocol { return wire.JSON11 }

const (
	target   = "ServiceQuotasV20190624."
	opList   = "ListServiceQuotas"
	ofPools  = "cognito-idp"
	maxPaged = 100
)

// Operation knows ListServiceQuotas.
func (*Service) Operation(r *http.Request, _ []byte) (string, error) {
	header := r.Header.Get("X-Amz-Target")
	if header != target+opList {
		return "", wire.Unsupported("operation", header)
	}
	return opList, nil
}

// Operations are the operations of the API that are served.
func (*Service) Operations() []string { return []string{opList} }

// Home finds nothing: every call must be signed.
func (*Service) Home(string, []byte) (account, region string, ok bool) { return "", "", false }

// Quota is unlimited.
func (*Service) Quota(string) (category string, perSecond float64) { return "", 0 }

type quota struct {
	ServiceCode string
	QuotaName   string
	Value       float64
	Unit        string
	GlobalQuota bool
}

// Serve answers with all quotas on one page.
func (s *Service) Serve(_ context.Context, call *wire.Call) (*wire.Reply, error) {
	var in struct {
		ServiceCode string
		MaxResults  int
	}
	if err := wire.Decode(call.Body, &in); err != nil {
		return nil, err
	}
	if err := call.Authorize("servicequotas:"+opList, "*"); err != nil {
		return nil, err
	}
	if in.ServiceCode != ofPools {
		return nil, wire.Unsupported("service code", in.ServiceCode)
	}
	if in.MaxResults != 0 && (in.MaxResults < len(defaults) || in.MaxResults > maxPaged) {
		return nil, wire.Unsupported("parameter", "MaxResults")
	}
	s.mu.Lock()
	values := s.values[place{call.Account, call.Region}]
	if values == nil {
		values = defaults
	}
	out := struct{ Quotas []quota }{[]quota{}}
	for _, category := range slices.SortedFunc(maps.Keys(values), strings.Compare) {
		out.Quotas = append(out.Quotas, quota{ofPools, "Rate of " + category + " requests", values[category], "None", false})
	}
	s.mu.Unlock()
	return wire.JSONReply(out)
}
