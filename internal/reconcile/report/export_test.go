package report

import "io"

var bare = parse("", "", "")

// RenderOwn is Render without what is the same on all pages, so that much can be
// tried in a short time.
func RenderOwn(w io.Writer, v View) error { return bare.Execute(w, newContent(v)) }
