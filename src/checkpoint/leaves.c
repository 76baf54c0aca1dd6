/*
 * The walk through what a pickle returns: dicts, lists and what else holds values, down to tensors
 * and to leaves that are none. Names are the keys on the way, joined by dots.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/entries.h"
#include "checkpoint/kinds.h"

/* So many leaves keep their names. */
#define NAMED_LEAVES 1000U

/* Values may stand in several places, and those around them again. */
#define STEPS_A_VALUE 16U
#define STEPS_FREE 100000U

/* Set on a value while the walk is inside of it. */
#define INSIDE 1U

/* A value on the way. */
typedef struct place {
    sft_scope *scope;
    sft_ref ref;
    size_t path;   /* bytes of the path that leads here */
    uint64_t keys; /* in it */
    bool unnamed;  /* one of them cannot be part of a name */
    bool dropped;  /* it lies inside of what is dropped */
} place;

typedef struct frame {
    place at;
    sft_entries entries;
    bool nested; /* the scope is this frame's, and goes with it */
} frame;

typedef struct walker {
    sft_finder *finder;
    frame *frames;
    uint64_t depth;
    uint64_t capacity;
    char *path;
    uint64_t path_capacity;
    size_t first_key; /* bytes of the first key of the path */
    uint64_t steps;   /* that are left */
    sft_arena keys;
} walker;

/* ---- results ---- */

static sft_status add_leaf(walker *w, const place *at, const char *kind) {
    sft_found *found = w->finder->found;
    found->leaf_total++;
    if (found->leaf_count >= NAMED_LEAVES) {
        return SFT_OK;
    }
    char *name = sft_finder_text(w->finder, w->path, at->path);
    char *copy = sft_finder_text(w->finder, kind, strlen(kind));
    if (name == NULL || copy == NULL ||
        !sft_grow(&w->finder->allocator, (void **)&found->leaves, &found->leaf_capacity,
                  found->leaf_count, sizeof *found->leaves)) {
        return sft_fail_memory(w->finder->error);
    }
    found->leaves[found->leaf_count++] = (sft_found_leaf){name, at->path, copy};
    return sft_finder_check_memory(w->finder);
}

/* What is inside of a record that is dropped was told with it. */
static sft_status add_value_leaf(walker *w, const place *at) {
    char kind[SFT_KIND_SIZE] = "";
    if (at->dropped) {
        return SFT_OK;
    }
    if (w->finder->found->leaf_count >= NAMED_LEAVES) {
        return add_leaf(w, at, kind);
    }
    sft_kind_of(&at->scope->pickle.graph, at->ref, kind);
    return add_leaf(w, at, kind);
}

/* A tensor inside of what is dropped is dropped too, but told. */
static sft_status add_tensor(walker *w, const place *at, sft_found_tensor *tensor,
                             const char *kind) {
    if (at->dropped) {
        return add_leaf(w, at, kind);
    }
    sft_found *found = w->finder->found;
    found->root_is_tensor = found->root_is_tensor || at->keys == 0;
    sft_status status = SFT_OK;
    if (at->unnamed) {
        status = sft_refuse(w->finder, tensor, SFT_INVALID_NAME,
                            "a key that leads to it is neither a text nor a whole number");
    }
    return status == SFT_OK ? sft_finder_add(w->finder, tensor, w->path, at->path,
                                             at->keys > 1 ? w->first_key : at->path)
                            : status;
}

/* ---- going in and out ---- */

static void spend(walker *w, uint64_t steps) {
    w->steps -= sft_min(steps, w->steps);
}

static void pop(walker *w) {
    frame *top = &w->frames[--w->depth];
    top->at.scope->pickle.graph.values[top->at.ref].flags &= (uint8_t)~INSIDE;
    sft_entries_free(&top->entries);
    if (top->nested) {
        sft_scope_close_nested(top->at.scope);
    }
}

/* An empty frame, on top. NULL where there is no memory. */
static frame *push(walker *w, const place *at) {
    if (!sft_grow(&w->finder->allocator, (void **)&w->frames, &w->capacity, w->depth,
                  sizeof *w->frames)) {
        return NULL;
    }
    frame *top = &w->frames[w->depth++];
    *top = (frame){.at = *at, .entries = {.scope = at->scope}};
    at->scope->pickle.graph.values[at->ref].flags |= INSIDE;
    return top;
}

static sft_status enter(walker *w, const place *at, sft_holder holder) {
    frame *top = push(w, at);
    if (top == NULL) {
        return sft_fail_memory(w->finder->error);
    }
    sft_status status = sft_entries_of(&top->entries, at->scope, &w->keys, at->ref, holder);
    spend(w, top->entries.work);
    if (status == SFT_OK && w->keys.total > w->finder->memory) {
        status = SFT_SOURCE_LIMIT;
        sft_fail(w->finder->error, status, SFT_NO_BYTE,
                 "the keys take more memory than the limit allows");
    }
    return status;
}

/* A record, a set, an array of objects: is told, and searched for tensors that go with it. */
static sft_status enter_dropped(walker *w, const place *at) {
    sft_status status = add_value_leaf(w, at);
    place inside = *at;
    inside.dropped = true;
    return status == SFT_OK ? enter(w, &inside, SFT_HOLDS_PARTS) : status;
}

/* What torch.load makes of a text: the walk goes on in there. */
static sft_status enter_nested(walker *w, const place *at) {
    sft_scope *inner;
    sft_status refused;
    const char *why = NULL;
    sft_status status = sft_scope_open_nested(at->scope, at->ref, &inner, &refused, &why);
    if (status != SFT_OK) {
        return status;
    }
    if (inner == NULL) {
        sft_found_tensor tensor;
        status = sft_refuse(w->finder, &tensor, refused, "%s", why);
        return status == SFT_OK ? add_tensor(w, at, &tensor, "torch.Tensor") : status;
    }
    spend(w, inner->legacy.pickles[4] / 8 + inner->pickle.graph.value_count +
                 inner->legacy.storage_count);
    /* The frame stands in front of the inner pickle's result. */
    place outer = *at;
    outer.scope = inner;
    outer.ref = SFT_NO_REF;
    frame *top = push(w, &outer);
    if (top == NULL) {
        sft_scope_close_nested(inner);
        return sft_fail_memory(w->finder->error);
    }
    top->nested = true;
    return sft_entries_lone(&top->entries, inner, inner->pickle.result);
}

/* ---- values ---- */

static sft_status visit_object(walker *w, const place *at) {
    sft_found_tensor tensor;
    bool is;
    sft_status status = sft_torch_tensor_of(at->scope, at->ref, &tensor, &is);
    if (status != SFT_OK || is) {
        return status == SFT_OK ? add_tensor(w, at, &tensor, "torch.Tensor") : status;
    }
    sft_holder holder = sft_holder_of(at->scope, at->ref);
    if (holder == SFT_HOLDS_OBJECTS) {
        return enter_dropped(w, at);
    }
    status = sft_numpy_tensor_of(at->scope, at->ref, &tensor, &is);
    if (status != SFT_OK || is) {
        return status == SFT_OK ? add_tensor(w, at, &tensor, "numpy.ndarray") : status;
    }
    switch (holder) {
    case SFT_HOLDS_NOTHING:
        return add_value_leaf(w, at);
    case SFT_HOLDS_FILE:
        return enter_nested(w, at);
    case SFT_HOLDS_PARTS:
        return enter_dropped(w, at);
    default:
        return enter(w, at, holder);
    }
}

static sft_status visit(walker *w, const place *at) {
    const sft_graph *graph = &at->scope->pickle.graph;
    if (w->steps == 0) {
        sft_fail(w->finder->error, SFT_SOURCE_LIMIT, SFT_NO_BYTE,
                 "the same values stand in so many places that going through all of them takes "
                 "too long");
        return SFT_SOURCE_LIMIT;
    }
    w->steps--;
    if ((graph->values[at->ref].flags & INSIDE) != 0) {
        /* It holds itself: what is in it has been met. */
        return add_value_leaf(w, at);
    }
    switch (sft_graph_kind(graph, at->ref)) {
    case SFT_VALUE_DICT:
        return enter(w, at, SFT_HOLDS_PAIRS);
    case SFT_VALUE_LIST:
    case SFT_VALUE_TUPLE:
        return enter(w, at, SFT_HOLDS_ROW);
    case SFT_VALUE_SET:
    case SFT_VALUE_FROZENSET:
        return enter_dropped(w, at);
    case SFT_VALUE_OBJECT:
        return visit_object(w, at);
    case SFT_VALUE_PERSISTENT: {
        sft_found_tensor tensor;
        bool is;
        sft_status status = sft_tar_tensor_of(at->scope, at->ref, &tensor, &is);
        if (status != SFT_OK || is) {
            return status == SFT_OK ? add_tensor(w, at, &tensor, "torch.Tensor") : status;
        }
        return add_value_leaf(w, at);
    }
    default:
        return add_value_leaf(w, at);
    }
}

/* ---- names ---- */

static bool append(walker *w, place *at, const char *text, size_t size) {
    uint64_t wanted;
    if (!sft_add((uint64_t)at->path, size, &wanted) ||
        (wanted > w->path_capacity &&
         !sft_reserve(&w->finder->allocator, (void **)&w->path, &w->path_capacity,
                      wanted + wanted / 2 + 64, 1))) {
        return false;
    }
    if (size > 0) {
        memcpy(w->path + at->path, text, size);
    }
    at->path += size;
    return true;
}

/* Adds a key to the path. */
static sft_status extend(walker *w, const sft_entry *entry, place *at) {
    if (!entry->has_key) {
        return SFT_OK;
    }
    char position[24];
    const char *text = position;
    size_t length;
    if (entry->key == NULL) {
        length = (size_t)snprintf(position, sizeof position, "%" PRIu64, entry->position);
    } else {
        text = entry->key + entry->skip;
        length = entry->key_length - entry->skip;
    }
    if ((at->keys > 0 && !append(w, at, ".", 1)) || !append(w, at, text, length)) {
        return sft_fail_memory(w->finder->error);
    }
    w->first_key = at->keys == 0 ? at->path : w->first_key;
    at->keys++;
    at->unnamed = at->unnamed || entry->unnamed;
    if (at->path > w->finder->memory) {
        sft_fail(w->finder->error, SFT_SOURCE_LIMIT, SFT_NO_BYTE,
                 "a name takes more memory than the limit allows");
        return SFT_SOURCE_LIMIT;
    }
    return SFT_OK;
}

static sft_status walk(walker *w) {
    while (w->depth > 0) {
        frame *top = &w->frames[w->depth - 1];
        sft_entry entry;
        if (!sft_entries_next(&top->entries, &entry)) {
            pop(w);
            continue;
        }
        place at = top->at;
        at.ref = entry.value;
        sft_status status = extend(w, &entry, &at);
        if (status == SFT_OK) {
            status = visit(w, &at);
        }
        if (status != SFT_OK) {
            return status;
        }
    }
    return SFT_OK;
}

sft_status sft_find_leaves(sft_scope *scope) {
    sft_finder *finder = scope->finder;
    const place root = {.scope = scope, .ref = scope->pickle.result};
    walker w = {.finder = finder};
    w.steps = scope->pickle.graph.value_count * STEPS_A_VALUE + STEPS_FREE;
    sft_arena_init(&w.keys, &finder->allocator);
    sft_status status = visit(&w, &root);
    if (status == SFT_OK) {
        status = walk(&w);
    }
    while (w.depth > 0) {
        pop(&w);
    }
    sft_release(&finder->allocator, w.frames, w.capacity * sizeof *w.frames);
    sft_release(&finder->allocator, w.path, w.path_capacity);
    sft_arena_free(&w.keys);
    return status;
}
