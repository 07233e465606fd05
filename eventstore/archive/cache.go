package archive

import (
	"container/list"
	"sync"
)

// cache keeps the values used last, as many as weigh up to limit.
type cache[K comparable, V any] struct {
	limit int

	mu     sync.Mutex
	weight int
	used   *list.List // of *cached, the newest in front
	byKey  map[K]*list.Element
}

type cached[K comparable, V any] struct {
	key    K
	value  V
	weight int
}

func newCache[K comparable, V any](limit int) *cache[K, V] {
	return &cache[K, V]{limit: limit, used: list.New(), byKey: map[K]*list.Element{}}
}

func (c *cache[K, V]) get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.byKey[key]
	if !ok {
		return value, false
	}
	c.used.MoveToFront(element)
	return element.Value.(*cached[K, V]).value, true
}

// put keeps value in the place of an older one; one that weighs more than all may is not kept.
func (c *cache[K, V]) put(key K, value V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byKey[key])
	if weight > c.limit {
		return
	}
	c.byKey[key] = c.used.PushFront(&cached[K, V]{key, value, weight})
	for c.weight += weight; c.weight > c.limit; {
		c.remove(c.used.Back())
	}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.byKey[key])
}

// remove takes an element out, if there is one. The caller holds mu.
func (c *cache[K, V]) remove(element *list.Element) {
	if element == nil {
		return
	}
	entry := c.used.Remove(element).(*cached[K, V])
	delete(c.byKey, entry.key)
	c.weight -= entry.weight
}
