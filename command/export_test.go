package command

// DrawCommand draws the body of a command on few entities, for properties of the Processor.
var DrawCommand = drawCommand
