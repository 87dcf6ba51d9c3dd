package wire

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// smithyCBOR is the Smithy-Protocol of requests and answers (Smithy 2.0, RPC v2
// CBOR protocol).
const smithyCBOR = "rpc-v2-cbor"

// Times are epoch seconds under tag 1. A member that a request has and an
// operation has not is an error.
var (
	encodeCBOR, _ = cbor.EncOptions{Time: cbor.TimeUnixDynamic, TimeTag: cbor.EncTagRequired}.EncMode()
	decodeCBOR, _ = cbor.DecOptions{ExtraReturnErrors: cbor.ExtraDecErrorUnknownField, TimeTag: cbor.DecTagOptional, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
)

// CBORReply encodes v into a Reply.
func CBORReply(v any) (*Reply, error) {
	body, err := encodeCBOR.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return &Reply{Body: body}, nil
}

// DecodeCBOR is Decode for a request in CBOR.
func DecodeCBOR(body []byte, v any) error {
	err := decodeCBOR.Unmarshal(body, v)
	if err == nil {
		return nil
	}
	if _, unknown := errors.AsType[*cbor.UnknownFieldError](err); unknown {
		return Unsupported("parameter", fmt.Sprintf("of %T", v))
	}
	return Errorf(http.StatusBadRequest, "SerializationException", "request is not valid CBOR for this operation")
}

// RPCv2 returns the operation that a path asks for: the last element of
// /service/SERVICE/operation/OPERATION. ok is false for any other request.
func RPCv2(r *http.Request, service string) (operation string, ok bool) {
	operation, ok = strings.CutPrefix(r.URL.Path, "/service/"+service+"/operation/")
	return operation, ok && r.Method == http.MethodPost && r.Header.Get("Smithy-Protocol") == smithyCBOR && !strings.Contains(operation, "/")
}

func errorInCBOR(err *Error) []byte {
	body, _ := encodeCBOR.Marshal(map[string]string{"__type": err.Code, "message": err.Message}) // text always encodes
	return body
}
