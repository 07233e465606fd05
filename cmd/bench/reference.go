package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/labstack/echo/v4"
	"github.com/olahol/melody"
	"github.com/redis/rueidis"
)

// referenceRequest is a command as a plain handler declares it.
type referenceRequest struct {
	OperationID string `json:"operationId"`
	Type        string `json:"type"`
	ClientID    string `json:"clientId"`
	Payload     struct {
		NodeID   string            `json:"nodeId"`
		Position referencePosition `json:"position"`
	} `json:"payload"`
}

type referencePosition struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
}

// referenceAnswer has the shape and the length of a 202.
type referenceAnswer struct {
	Accepted                bool          `json:"accepted"`
	OperationID             string        `json:"operationId"`
	Version                 int64         `json:"version"`
	Hash                    string        `json:"hash"`
	Status                  string        `json:"status"`
	EstimatedProcessingTime int           `json:"estimatedProcessingTime"`
	Result                  referenceNode `json:"result"`
}

type referenceNode struct {
	CreatedAt int64             `json:"createdAt"`
	Data      referenceData     `json:"data"`
	ID        string            `json:"id"`
	Position  referencePosition `json:"position"`
	Title     string            `json:"title"`
	Type      string            `json:"type"`
	UpdatedAt int64             `json:"updatedAt"`
}

type referenceData struct {
	Label  string   `json:"label"`
	Status string   `json:"status"`
	Tags   []string `json:"tags"`
}

// reference is what Graphy is compared to: the same protocols and libraries with nothing behind them.
type reference struct {
	redis  rueidis.Client
	count  atomic.Int64
	static atomic.Pointer[[]byte]
	echoes *melody.Melody
	hub    *plainHub
}

// serveReference listens on args[0] until ctx is done, with the Redis at args[1].
func serveReference(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench reference ADDRESS REDIS")
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: args[1:], DisableCache: true})
	if err != nil {
		return err
	}
	defer client.Close()
	r := &reference{redis: client, echoes: melody.New(), hub: newPlainHub()}
	r.echoes.HandleMessage(func(s *melody.Session, message []byte) { _ = s.Write(message) })
	r.echoes.Config.MaxMessageSize = 1 << 20
	e := echo.New()
	e.POST("/echo/:graphId/command", r.echo)
	e.POST("/xadd/:graphId/command", r.xadd)
	e.PUT("/static", r.putStatic)
	e.GET("/static", r.getStatic)
	e.GET("/ws", func(c echo.Context) error { return r.echoes.HandleRequest(c.Response(), c.Request()) })
	e.GET("/hub", r.hub.serve)
	server := &http.Server{Addr: args[0], Handler: e}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the reference: %w", err)
	}
	return nil
}

// echo decodes a command and answers as if it had been carried out.
func (r *reference) echo(c echo.Context) error {
	var request referenceRequest
	if err := c.Bind(&request); err != nil {
		return err
	}
	return r.answer(c, &request)
}

// xadd is echo with one entry appended to a stream.
func (r *reference) xadd(c echo.Context) error {
	var request referenceRequest
	if err := c.Bind(&request); err != nil {
		return err
	}
	entry := r.redis.B().Xadd().Key("reference:"+c.Param("graphId")).Id("*").FieldValue().
		FieldValue("operationId", request.OperationID).
		FieldValue("x", strconv.FormatFloat(request.Payload.Position.X, 'g', -1, 64)).
		FieldValue("y", strconv.FormatFloat(request.Payload.Position.Y, 'g', -1, 64)).Build()
	if err := r.redis.Do(c.Request().Context(), entry).Error(); err != nil {
		return err
	}
	return r.answer(c, &request)
}

func (r *reference) answer(c echo.Context, request *referenceRequest) error {
	const now = 1760000000000
	return c.JSON(http.StatusAccepted, &referenceAnswer{
		Accepted: true, OperationID: request.OperationID, Version: r.count.Add(1), Hash: "6bd2f1a903c4e5d76bd2f1a903c4e5d7",
		Status: "processing", EstimatedProcessingTime: 3,
		Result: referenceNode{CreatedAt: now, UpdatedAt: now, ID: request.Payload.NodeID, Position: request.Payload.Position,
			Title: "Step 17", Type: "task", Data: referenceData{"Step 17", "open", []string{"a", "b"}}},
	})
}

// putStatic takes the bytes that getStatic serves.
func (r *reference) putStatic(c echo.Context) error {
	content, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	r.static.Store(&content)
	return c.NoContent(http.StatusNoContent)
}

func (r *reference) getStatic(c echo.Context) error {
	content := *r.static.Load()
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(content)))
	return c.Blob(http.StatusOK, echo.MIMEApplicationJSON, content)
}
