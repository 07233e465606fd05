package redis

// For tests of the package from outside.
var (
	DecodeLines = decodeLines
	EncodeLine  = encodeLine
)
