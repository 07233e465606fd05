package transport

import (
	"context"
	"net/http"
	"time"

	"go.uber.org/zap"

	"graphy/command"
	"graphy/eventstore"
	"graphy/projection/upkeep"
)

// routeUpkeep adds the acts of the Keeper.
func (s *Server) routeUpkeep(r adminRouter) {
	r.handle(http.MethodPost, "/rebuild", "rebuild", s.adminRebuild)
	r.handle(http.MethodPost, "/graphs/:graphId/rebuild", "rebuild", s.adminRebuild)
	r.handle(http.MethodPost, "/verify", "verify", s.adminVerify)
	r.handle(http.MethodPost, "/graphs/:graphId/verify", "verify", s.adminVerify)
	r.handle(http.MethodPost, "/retain", "retain", s.adminRetain)
	r.handle(http.MethodPost, "/restore", "restore", s.adminRestore)
	r.handle(http.MethodPost, "/graphs/:graphId/copy", "graph copied", s.adminCopy)
	r.handle(http.MethodGet, "/graphs/:graphId/archive", "", s.adminArchive)
	r.handle(http.MethodGet, "/export", "export", s.adminExport)
	r.handle(http.MethodPost, "/import", "import", s.adminImport)
	r.handle(http.MethodPost, "/deadletters/:id/skip", "dead letter skipped", s.adminSkip)
}

// keeper returns the Keeper, if there is one.
func (a *act) keeper() (*upkeep.Keeper, error) {
	if a.server.services.Upkeep == nil {
		return nil, missing("upkeep of graphs")
	}
	return a.server.services.Upkeep, nil
}

// selected reads the body of an act on graphs and returns what they are: the one in the path, or those that the body
// selects.
func (a *act) selected(into any, selected *Selected) (upkeep.Selection, error) {
	if a.graph == "" {
		if err := a.body(into); err != nil {
			return upkeep.Selection{}, err
		}
		selection, err := selected.selection()
		if len(selected.Graphs) > 0 {
			a.note(zap.Strings("named", selected.Graphs[:min(len(selected.Graphs), 20)]))
		} else {
			a.note(zap.Bool("all", selected.All))
		}
		return selection, err
	}
	if err := a.optionalBody(into); err != nil {
		return upkeep.Selection{}, err
	}
	if selected.All || selected.Graphs != nil || selected.After != "" || selected.Parallel != 0 {
		return upkeep.Selection{}, refuse(command.InvalidPayload, "the graph is the one in the path: the body selects none")
	}
	return upkeep.Selection{Graphs: []string{a.graph}}, nil
}

// adminRebuild makes read models anew from the log.
func (s *Server) adminRebuild(a *act) error {
	var request struct {
		Selected
		FromSnapshot bool `json:"fromSnapshot"`
		DryRun       bool `json:"dryRun"`
	}
	k, err := a.keeper()
	if err != nil {
		return err
	}
	selection, err := a.selected(&request, &request.Selected)
	if err != nil {
		return err
	}
	a.note(zap.Bool("dryRun", request.DryRun), zap.Bool("fromSnapshot", request.FromSnapshot))
	opts := upkeep.RebuildOptions{FromSnapshot: request.FromSnapshot, DryRun: request.DryRun}
	return eachGraph(a, selection, func(r *upkeep.Rebuilt) string { return r.Outcome },
		func(ctx context.Context, graph string) (upkeep.Rebuilt, error) {
			rebuilt, err := k.Rebuild(ctx, graph, opts)
			if err == nil && !opts.DryRun {
				s.states.forget(graph)
			}
			return rebuilt, err
		})
}

// adminVerify compares logs and read models with what they should be.
func (s *Server) adminVerify(a *act) error {
	var request struct{ Selected }
	k, err := a.keeper()
	if err != nil {
		return err
	}
	selection, err := a.selected(&request, &request.Selected)
	if err != nil {
		return err
	}
	return eachGraph(a, selection, func(v *upkeep.Verified) string {
		if v.OK {
			return "ok"
		}
		return "mismatches"
	}, k.Verify)
}

// adminRetain trims logs.
func (s *Server) adminRetain(a *act) error {
	var request struct {
		Selected
		Events int    `json:"events"`
		Age    string `json:"age"`
		DryRun bool   `json:"dryRun"`
	}
	k, err := a.keeper()
	if err != nil {
		return err
	}
	selection, err := a.selected(&request, &request.Selected)
	if err != nil {
		return err
	}
	policy, err := s.policyOf(request.Events, request.Age)
	if err != nil {
		return err
	}
	a.note(zap.Stringer("policy", policy), zap.Bool("dryRun", request.DryRun))
	return eachGraph(a, selection, func(r *upkeep.Retained) string { return r.Outcome },
		func(ctx context.Context, graph string) (upkeep.Retained, error) {
			return k.Retain(ctx, graph, policy, request.DryRun)
		})
}

// policyOf returns the policy that was asked for, else the process's own.
func (s *Server) policyOf(events int, age string) (upkeep.Policy, error) {
	policy := s.services.Policy
	if events != 0 || age != "" {
		policy = upkeep.Policy{Events: events}
	}
	if events < 0 {
		return policy, refuseField("/events", "is not above 0")
	}
	if age != "" {
		long, err := time.ParseDuration(age)
		if err != nil || long < time.Minute {
			return policy, refuseField("/age", "%.64q is no duration of a minute or more, as 720h", age)
		}
		policy.Age = long
	}
	if policy.KeepsAll() {
		return policy, refuseField("/events", "is missing, as is age: say what is kept, since GRAPHY_RETAIN says that everything is")
	}
	return policy, nil
}

// adminRestore brings back from the archive what logs lack.
func (s *Server) adminRestore(a *act) error {
	var request struct {
		Selected
		DryRun bool `json:"dryRun"`
	}
	k, err := a.keeper()
	if err == nil && s.services.Archive == nil {
		err = missing("archive")
	}
	if err != nil {
		return err
	}
	selection, err := a.selected(&request, &request.Selected)
	if err != nil {
		return err
	}
	a.note(zap.Bool("dryRun", request.DryRun))
	return eachGraph(a, selection, func(r *upkeep.Restored) string { return r.Outcome },
		func(ctx context.Context, graph string) (upkeep.Restored, error) {
			return k.Restore(ctx, graph, request.DryRun)
		})
}

// adminCopy makes a new graph of another's log up to a version.
func (s *Server) adminCopy(a *act) error {
	var request struct {
		To string             `json:"to"`
		At eventstore.Version `json:"at"`
	}
	k, err := a.keeper()
	if err == nil {
		err = a.body(&request)
	}
	if err == nil {
		err = command.CheckID(request.To, "/to")
	}
	if err == nil && request.At > maxVersion {
		err = refuseField("/at", "is no version")
	}
	if err != nil {
		return err
	}
	a.note(zap.String("to", request.To), zap.Uint64("version", uint64(request.At)))
	ctx, leave, err := a.long()
	if err != nil {
		return err
	}
	defer leave()
	_ = a.newLongAnswer() // takes the time limits off
	copied, err := k.Copy(ctx, a.graph, request.To, request.At)
	if err != nil {
		return becauseOf(ctx, err)
	}
	return a.answer(copied)
}
