package asl

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"poolferry/internal/sandbox/states/data"
	"poolferry/internal/sandbox/states/items"
	"poolferry/internal/sandbox/states/path"
	"poolferry/internal/sandbox/states/template"
)

// Distributed is what a Map has beyond an inline one whose iterations are
// executions of their own.
type Distributed struct {
	Express             bool    // those executions are EXPRESS
	Label               string  // its name in ARNs; empty where the definition gives none
	Reader              *Reader // nil: the items are in the state's input
	Batcher             *Batcher
	Writer              *Writer // nil: the results are the state's
	ToleratedCount      Quantity
	ToleratedPercentage Percentage
}

// Percentage is a number from 0 to 100 that is constant or found by a path.
type Percentage struct {
	Value float64
	Path  *path.Path
	Given bool
}

// Reader is an ItemReader.
type Reader struct {
	List       bool // the items are the objects of a list
	Load       bool // the items are in the objects of a list
	Parameters *template.Template
	Format     items.Format
	MaxItems   Quantity
}

// Batcher is an ItemBatcher.
type Batcher struct {
	Items, Bytes Quantity
	Input        *template.Template // BatchInput
}

// Transformation is how the results of children are shown.
type Transformation string

// The transformations.
const (
	None    Transformation = "NONE"    // with what is known about each child
	Compact Transformation = "COMPACT" // what the children returned
	Flatten Transformation = "FLATTEN" // the same, and arrays of it as one
)

// Writer is a ResultWriter.
type Writer struct {
	Parameters     *template.Template // nil: nothing is written, the state returns the results
	Transformation Transformation
	Lines          bool // OutputType JSONL
}

// distributedFields are those that only a Distributed Map has.
var distributedFields = []string{
	"ItemReader", "ItemBatcher", "ResultWriter", "Label", "ToleratedFailureCount", "ToleratedFailureCountPath",
	"ToleratedFailurePercentage", "ToleratedFailurePercentagePath",
}

// inline refuses them.
func (o object) inline() {
	for _, name := range distributedFields {
		if _, given := o.take(name); given {
			o.refuse(o.at, "Field '%s' is not supported in 'INLINE' mode", name)
		}
	}
}

func (o object) distributed(express bool) *Distributed {
	return &Distributed{
		Express: express, Label: o.label(), Reader: o.itemReader(), Batcher: o.itemBatcher(), Writer: o.resultWriter(),
		ToleratedCount: o.quantity("ToleratedFailureCount", 0), ToleratedPercentage: o.percentage("ToleratedFailurePercentage"),
	}
}

// maxLabel is the longest label, in characters.
const maxLabel = 40

// label takes a Label. It must not have the characters that names of executions
// must not have, and must be the only one of its kind in the definition.
func (o object) label() string {
	if !o.has("Label") {
		return ""
	}
	label := o.text("Label")
	bad := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r)
	}
	switch n := utf8.RuneCountInString(label); {
	case n < 1 || n > maxLabel || strings.ContainsFunc(label, bad):
		o.refuse(o.below("Label"), "Value must have 1 to %d characters and no special ones", maxLabel)
	case slices.Contains(o.labels, label):
		o.refuse(o.below("Label"), "Value must be unique within the state machine definition")
	}
	o.labels = append(o.labels, label)
	return label
}

// percentage takes NAME or NAMEPath.
func (o object) percentage(name string) Percentage {
	if o.has(name) && o.has(name+"Path") {
		o.refuse(o.at, "Only one of '%s' and '%sPath' is allowed", name, name)
	}
	if o.has(name + "Path") {
		o.take(name)
		return Percentage{Path: o.reference(name + "Path"), Given: true}
	}
	v, given := o.take(name)
	if !given {
		return Percentage{}
	}
	n, isNumber := v.(json.Number)
	f, err := n.Float64()
	if !isNumber || err != nil || f < 0 || f > 100 {
		o.refuse(o.below(name), "Value must be between 0 and 100")
	}
	return Percentage{Value: f, Given: true}
}

// Resources of an ItemReader and of a ResultWriter.
const (
	readObject  = "arn:aws:states:::s3:getObject"
	readList    = "arn:aws:states:::s3:listObjectsV2"
	writeObject = "arn:aws:states:::s3:putObject"
)

// part takes a field that is an object; ok is false where there is none, or none
// that can be read.
func (o object) part(name string) (part object, ok bool) {
	raw, given := o.take(name)
	if !given {
		return object{}, false
	}
	return o.object(o.below(name), raw)
}

// objects refuses what needs S3 where the sandbox has none.
func (o object) objects(field string) {
	if !o.resources.Objects() {
		o.unsupport(o.at, field)
	}
}

func (o object) itemReader() *Reader {
	part, ok := o.part("ItemReader")
	if !ok {
		return nil
	}
	part.objects("ItemReader")
	r := &Reader{}
	switch resource := part.required("Resource"); resource {
	case readObject:
		part.location("ItemReader", "Bucket", "Key")
	case readList:
		r.List = true
		part.location("ItemReader", "Bucket")
	default:
		part.refuse(part.below("Resource"), "Value is not one of [%s, %s]", readObject, readList)
		part.take("Parameters")
		part.take("ReaderConfig")
		return r
	}
	r.Parameters = part.objectTemplate("Parameters")
	if config, ok := part.part("ReaderConfig"); ok {
		config.readerConfig(r)
		config.done()
	} else if !r.List {
		part.refuse(part.at, "Missing required field 'ReaderConfig'")
	}
	part.done()
	return r
}

// location checks the names of the parameters that say where in S3.
func (o object) location(field string, required ...string) {
	if !o.has("Parameters") {
		o.refuse(o.at, "Missing required field 'Parameters'")
		return
	}
	optional := []string{"ExpectedBucketOwner"}
	if !slices.Contains(required, "Key") {
		optional = append(optional, "Prefix")
	}
	o.checkParameters(o.at, field, required, optional, o.fields["Parameters"])
}

func (o object) readerConfig(r *Reader) {
	r.MaxItems = o.bounded("MaxItems", 0, items.MaxItems)
	switch transformation := o.text("Transformation"); transformation {
	case "", "NONE":
	case "LOAD_AND_FLATTEN":
		r.Load = true
		if !r.List {
			o.refuse(o.below("Transformation"), "LOAD_AND_FLATTEN is only supported for %s", readList)
		}
	default:
		o.refuse(o.below("Transformation"), "Value is not one of [NONE, LOAD_AND_FLATTEN]")
	}
	if o.has("ManifestType") {
		o.take("ManifestType")
		o.unsupport(o.below("ManifestType"), "ManifestType")
	}
	if r.List && !r.Load {
		return // the format of what is listed
	}
	switch kind := items.Kind(o.required("InputType")); kind {
	case items.JSON, items.JSONL:
		r.Format.Kind = kind
	case items.CSV:
		r.Format.Kind = kind
		o.csv(&r.Format)
	case "PARQUET", "MANIFEST":
		o.unsupport(o.below("InputType"), "InputType "+string(kind))
		for _, name := range []string{"CSVHeaderLocation", "CSVHeaders", "CSVDelimiter"} {
			o.take(name)
		}
	default:
		o.refuse(o.below("InputType"), "Value is not one of [CSV, JSON, JSONL, PARQUET, MANIFEST]")
	}
}

var delimiters = map[string]rune{"": ',', "COMMA": ',', "PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}

func (o object) csv(f *items.Format) {
	delimiter, ok := delimiters[o.text("CSVDelimiter")]
	if !ok {
		o.refuse(o.below("CSVDelimiter"), "Value is not one of [COMMA, PIPE, SEMICOLON, SPACE, TAB]")
	}
	f.Delimiter = delimiter
	switch location := o.required("CSVHeaderLocation"); location {
	case "FIRST_ROW":
	case "GIVEN":
		f.Headers = []string{}
		if !o.has("CSVHeaders") {
			o.refuse(o.at, "Missing required field 'CSVHeaders'")
		}
		for i, v := range o.list("CSVHeaders") {
			name, ok := v.(string)
			if !ok {
				o.refuse(fmt.Sprintf("%s[%d]", o.below("CSVHeaders"), i), "Expected value of type [String]")
			}
			f.Headers = append(f.Headers, name)
		}
	default:
		o.refuse(o.below("CSVHeaderLocation"), "Value is not one of [FIRST_ROW, GIVEN]")
	}
}

func (o object) itemBatcher() *Batcher {
	part, ok := o.part("ItemBatcher")
	if !ok {
		return nil
	}
	b := &Batcher{Items: part.quantity("MaxItemsPerBatch", 1), Bytes: part.bounded("MaxInputBytesPerBatch", 1, data.Limit), Input: part.template("BatchInput")}
	if !b.Items.Given && !b.Bytes.Given {
		part.refuse(part.at, "At least one of 'MaxItemsPerBatch' and 'MaxInputBytesPerBatch' is required")
	}
	part.done()
	return b
}

func (o object) resultWriter() *Writer {
	part, ok := o.part("ResultWriter")
	if !ok {
		return nil
	}
	w := &Writer{Transformation: None}
	config, configured := part.part("WriterConfig")
	switch {
	case part.has("Resource") || part.has("Parameters"):
		part.objects("ResultWriter")
		if part.required("Resource") != writeObject {
			part.refuse(part.below("Resource"), "Value is not one of [%s]", writeObject)
		}
		part.location("ResultWriter", "Bucket")
		w.Parameters = part.objectTemplate("Parameters")
	case !configured:
		part.refuse(part.at, "Missing required field 'WriterConfig', or 'Resource' and 'Parameters'")
	}
	if configured {
		config.writerConfig(w)
		config.done()
	}
	part.done()
	return w
}

func (o object) writerConfig(w *Writer) {
	switch w.Transformation = Transformation(o.required("Transformation")); w.Transformation {
	case None, Compact, Flatten:
	default:
		o.refuse(o.below("Transformation"), "Value is not one of [NONE, COMPACT, FLATTEN]")
	}
	switch kind := o.text("OutputType"); kind {
	case "", "JSON":
	case "JSONL":
		w.Lines = true
		if w.Parameters == nil {
			o.unsupport(o.below("OutputType"), "OutputType JSONL without Resource")
		}
	default:
		o.refuse(o.below("OutputType"), "Value is not one of [JSON, JSONL]")
	}
}
