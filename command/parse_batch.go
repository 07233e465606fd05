package command

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/go-json-experiment/json/jsontext"

	"graphy/projection"
)

// ParseBatch reads the body of POST …/batch: one command of type Batch if it is atomic, else one for each operation,
// nil where that operation is refused already, with the refusal in errs at the same index.
func (p *Parser) ParseBatch(body []byte, identity Identity) (atomic *Command, commands []*Command, errs []error, err error) {
	object, err := canonicalObject(body, p.limits.Depth)
	if err != nil {
		return nil, nil, nil, err
	}
	batch := &Command{Identity: identity, Type: Batch, limits: &p.limits}
	var operations jsontext.Value
	whole := false
	for name, value := range projection.Members(object) {
		var err *Error
		switch key := string(name); key {
		case "operations":
			operations = value
		case "atomic":
			whole = value.Kind() == 't'
			if !whole && value.Kind() != 'f' {
				err = invalid("/atomic", "must be true or false")
			}
		case "type":
			err = unknownField("", name)
		default:
			err = batch.field(key, value, "")
		}
		if err != nil {
			return nil, nil, nil, named(err, object)
		}
	}
	if batch.HasBaseHash && !batch.HasBase {
		return nil, nil, nil, named(invalid("/hash", "goes with clientVersion, which is missing"), object)
	}
	list, refusal := operationList(operations, "/operations", p.limits.Operations)
	if refusal != nil {
		return nil, nil, nil, named(refusal, object)
	}
	if refusal := flat(list); refusal != nil {
		return nil, nil, nil, named(refusal, object)
	}
	if whole {
		if refusal := batch.parseAtomic(list); refusal != nil {
			return nil, nil, nil, named(refusal, object)
		}
		return batch, nil, nil, nil
	}
	commands, errs = batch.parseEach(list)
	return nil, commands, errs, nil
}

// operationList splits the array of a batch, which holds at most so many operations.
func operationList(operations jsontext.Value, pointer string, most int) ([]jsontext.Value, *Error) {
	if operations == nil {
		return nil, invalid(pointer, "is missing")
	}
	if operations.Kind() != '[' {
		return nil, invalid(pointer, "must be an array")
	}
	var list []jsontext.Value
	for element := range projection.Elements(operations) {
		if len(list) == most {
			return nil, refuse(TooLarge, pointer, "a batch holds at most %d operations", most)
		}
		list = append(list, element)
	}
	if len(list) == 0 {
		return nil, invalid(pointer, "a batch holds at least one operation")
	}
	return list, nil
}

// flat refuses a batch that holds batches or restores, atomic or not: it is misunderstood as a whole.
func flat(list []jsontext.Value) *Error {
	for i, element := range list {
		if name := projection.Text(projection.Member(element, "type")); isBatchType(name) {
			return invalid(fmt.Sprintf("/operations/%d/type", i), "a batch holds no %s", name)
		}
	}
	return nil
}

// parseAtomic reads the operations of an atomic batch; one bad operation refuses all.
func (c *Command) parseAtomic(list []jsontext.Value) *Error {
	c.Operations = make([]Command, len(list))
	seen := map[string]int{}
	for i, element := range list {
		operation := &c.Operations[i]
		operation.limits = c.limits
		if err := operation.parsePart(element, fmt.Sprintf("/operations/%d", i), "operationId", "strategy"); err != nil {
			return err
		}
		if id := operation.OperationID; id != "" {
			if first, twice := seen[id]; twice || id == c.OperationID {
				return refuse(OperationIDReused, operation.pointer+"/operationId", "the operation id %q stands in this batch already (operation %d)", id, first)
			}
			seen[id] = i
		}
	}
	c.fingerprintParts()
	return nil
}

// parsePart reads one operation of an atomic batch or a BATCH_UPDATE, which takes type, payload and the fields of
// extra.
func (c *Command) parsePart(element jsontext.Value, pointer string, extra ...string) *Error {
	c.pointer = pointer
	if element.Kind() != '{' {
		return invalid(pointer, "must be an object")
	}
	for name, value := range projection.Members(element) {
		var err *Error
		switch key := string(name); {
		case key == "payload":
			c.Payload = value
		case key == "type", slices.Contains(extra, key):
			err = c.field(key, value, pointer)
		default:
			err = unknownField(pointer, name)
		}
		if err != nil {
			return err
		}
	}
	if isBatchType(c.Type) {
		return invalid(pointer+"/type", "a batch holds no %s", c.Type)
	}
	return c.complete("type")
}

// parseEach reads the operations of a non-atomic batch. What the batch says holds for each that does not say otherwise;
// its operation id gives ids to those without, so that the batch as a whole can be sent again.
func (c *Command) parseEach(list []jsontext.Value) (commands []*Command, errs []error) {
	commands, errs = make([]*Command, len(list)), make([]error, len(list))
	for i, element := range list {
		operation := &Command{Identity: c.Identity, limits: c.limits, HasBase: c.HasBase, Base: c.Base, Timestamp: c.Timestamp,
			BaseHash: c.BaseHash, HasBaseHash: c.HasBaseHash, Strategy: c.Strategy, GestureID: c.GestureID, DryRun: c.DryRun}
		err := operation.parseMember(element, fmt.Sprintf("/operations/%d", i))
		if err != nil {
			errs[i] = named(err, element)
			continue
		}
		if operation.OperationID == "" && c.OperationID != "" {
			operation.OperationID = derivedID(c.OperationID, i)
		}
		commands[i] = operation
	}
	return commands, errs
}

// parseMember reads one operation of a non-atomic batch.
func (c *Command) parseMember(element jsontext.Value, pointer string) *Error {
	if version := projection.Member(element, "clientVersion"); version != nil {
		c.HasBaseHash, c.BaseHash = false, "" // the batch's hash is of the batch's version
	}
	return c.parsePart(element, pointer, "operationId", "strategy", "clientVersion", "timestamp")
}

func derivedID(batch string, index int) string {
	id := fmt.Sprintf("%s.%d", batch, index)
	if len(id) > 128 {
		return fmt.Sprintf("%016x.%d", xxhash.Sum64String(batch), index)
	}
	return id
}

func isBatchType(name string) bool { return name == Batch || name == BatchUpdate || name == Restore }
