/* One pickle of a search, and the storages that its values refer to. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/finder.h"
#include "checkpoint/joblib.h"
#include "io/os.h"
#include "pickle/judge.h"

void sft_scope_init(sft_scope *scope, sft_finder *finder, const sft_region *region,
                    sft_id_kind ids) {
    *scope = (sft_scope){.finder = finder, .region = *region, .ids = ids};
    uint64_t seed[2];
    sft_os_random(seed);
    sft_names_init(&scope->keys, &finder->allocator, seed);
    sft_names_init(&scope->placed, &finder->allocator, seed);
}

void sft_scope_free(sft_scope *scope) {
    const sft_allocator *allocator = &scope->finder->allocator;
    if (scope->store_of != NULL) {
        sft_release(allocator, scope->store_of,
                    scope->pickle.graph.value_count * sizeof *scope->store_of);
    }
    if (scope->has_pickle) {
        sft_pickle_free(&scope->pickle);
    }
    if (scope->has_legacy) {
        sft_legacy_free(&scope->legacy);
    }
    sft_release(allocator, scope->stores, scope->store_capacity * sizeof *scope->stores);
    sft_release(allocator, scope->tar, scope->tar_capacity * sizeof *scope->tar);
    sft_names_free(&scope->keys);
    sft_names_free(&scope->placed);
}

/* ---- reading ---- */

/* An array of objects in joblib's format is a pickle of its own: finds its end. */
static bool skip_nested(void *context, uint64_t position, uint64_t *end) {
    sft_scope *scope = context;
    sft_pickle_input input = sft_region_input(&scope->region);
    sft_pickle_options options = {.allocator = &scope->finder->allocator,
                                  .memory = scope->finder->memory};
    sft_pickle pickle;
    sft_status status = sft_pickle_read(&pickle, &input, position, &options, NULL);
    bool ends = status == SFT_OK && pickle.end == SFT_PICKLE_STOPPED;
    *end = pickle.position;
    sft_pickle_free(&pickle);
    return ends;
}

static sft_status check_end(const sft_scope *scope) {
    const sft_pickle *pickle = &scope->pickle;
    if (pickle->end == SFT_PICKLE_STOPPED) {
        return SFT_OK;
    }
    sft_status status = pickle->end == SFT_PICKLE_LIMIT ? SFT_SOURCE_LIMIT : SFT_MALFORMED_SOURCE;
    sft_fail(scope->finder->error, status, pickle->position, "%s", pickle->what);
    return status;
}

static bool is_same(const sft_store *store, const sft_torch_id *id, bool whole) {
    bool part = store->root != NULL;
    return store->dtype == id->dtype && store->item_size == id->item_size &&
           store->elements == (whole ? id->elements : id->view_elements) &&
           (whole ? !part
                  : part && store->root_length == id->key_length &&
                        memcmp(store->root, id->key, id->key_length) == 0 &&
                        store->root_elements == id->elements && store->first == id->view_offset);
}

/* Enters a store by its key; where it is in already, they must agree. */
static sft_status enter(sft_scope *scope, const sft_torch_id *id, bool whole, uint64_t *number) {
    sft_store store = {.key = whole ? id->key : id->view_key,
                       .key_length = whole ? id->key_length : id->view_key_length,
                       .dtype = id->dtype,
                       .item_size = id->item_size,
                       .elements = whole ? id->elements : id->view_elements};
    if (!whole) {
        store.root = id->key;
        store.root_length = id->key_length;
        store.root_elements = id->elements;
        store.first = id->view_offset;
    }
    *number = sft_scope_find_store(scope, store.key, store.key_length);
    if (*number != UINT64_MAX) {
        sft_store *there = &scope->stores[*number];
        there->contradicted = there->contradicted || !is_same(there, id, whole);
        return SFT_OK;
    }
    sft_status status = sft_scope_add_store(scope, &store, number);
    if (status == SFT_OK && sft_names_add(&scope->keys, scope->stores, sizeof *scope->stores,
                                          *number) == SFT_NAMES_NO_MEMORY) {
        status = sft_fail_memory(scope->finder->error);
    }
    return status;
}

sft_status sft_scope_make_store_of(sft_scope *scope) {
    if (scope->store_of == NULL) {
        scope->store_of = sft_allocate_zeroed(
            &scope->finder->allocator, scope->pickle.graph.value_count, sizeof *scope->store_of);
    }
    return scope->store_of != NULL ? SFT_OK : sft_fail_memory(scope->finder->error);
}

/*
 * All ids at once, in the order of the stream: what a loader makes of a key is what the first id
 * with it says. Writers never let two ids differ; where they do, tensors are refused.
 */
static sft_status take_stock(sft_scope *scope) {
    const sft_graph *graph = &scope->pickle.graph;
    for (uint64_t i = 1; i < graph->value_count; i++) {
        sft_torch_id id;
        if (graph->values[i].kind != SFT_VALUE_PERSISTENT ||
            !sft_torch_id_of(graph, (sft_ref)i, scope->ids == SFT_IDS_LEGACY, &id)) {
            continue;
        }
        uint64_t number;
        sft_status status = sft_scope_make_store_of(scope);
        if (status == SFT_OK) {
            status = enter(scope, &id, true, &number);
        }
        if (status == SFT_OK && id.view_key != NULL) {
            status = enter(scope, &id, false, &number);
        }
        if (status != SFT_OK) {
            return status;
        }
        scope->store_of[i] = (uint32_t)number + 1;
    }
    return SFT_OK;
}

sft_status sft_scope_read(sft_scope *scope, uint64_t start) {
    sft_finder *finder = scope->finder;
    sft_pickle_input input = sft_region_input(&scope->region);
    sft_joblib joblib = {.region = &scope->region, .nested = skip_nested, .context = scope};
    bool plain = scope->ids == SFT_IDS_NONE;
    sft_pickle_options options = {.allocator = &finder->allocator,
                                  .memory = finder->memory,
                                  .after_build = plain ? sft_joblib_after_build : NULL,
                                  .after_build_context = &joblib};
    scope->has_pickle = true;
    sft_status status = sft_pickle_read(&scope->pickle, &input, start, &options, finder->error);
    if (status == SFT_OK) {
        status = check_end(scope);
    }
    if (status == SFT_OK && joblib.misread) {
        status = SFT_MALFORMED_SOURCE;
        sft_fail(finder->error, status, SFT_NO_BYTE,
                 "where the bytes of an array of joblib's begin or end cannot be told");
    }
    scope->joblib = joblib.seen;
    bool named = scope->ids == SFT_IDS_ZIP || scope->ids == SFT_IDS_LEGACY;
    return status == SFT_OK && named ? take_stock(scope) : status;
}

/* ---- stores ---- */

sft_status sft_scope_add_store(sft_scope *scope, const sft_store *store, uint64_t *number) {
    if (scope->store_count >= SFT_NAMES_MAX ||
        !sft_grow(&scope->finder->allocator, (void **)&scope->stores, &scope->store_capacity,
                  scope->store_count, sizeof *scope->stores)) {
        return sft_fail_memory(scope->finder->error);
    }
    *number = scope->store_count;
    scope->stores[scope->store_count++] = *store;
    return SFT_OK;
}

uint64_t sft_scope_find_store(sft_scope *scope, const char *key, size_t length) {
    return sft_names_find(&scope->keys, scope->stores, sizeof *scope->stores, key, length);
}

static const char contradiction[] =
    "its storage is described in two ways that contradict each other";

static void refuse_store(sft_store *store, sft_status status, const char *why) {
    store->refused = status;
    store->why = why;
}

/* A part of another storage, as it was possible before PyTorch 0.4. */
static sft_status resolve_part(sft_scope *scope, sft_store *store) {
    uint64_t number = sft_scope_find_store(scope, store->root, store->root_length);
    sft_store *root = &scope->stores[number];
    if (!root->resolved) {
        root->resolved = true;
        sft_status status = sft_legacy_resolve(scope, root);
        if (status != SFT_OK) {
            return status;
        }
    }
    if (root->contradicted || root->root != NULL) {
        refuse_store(store, SFT_STORAGE_SIZE, contradiction);
        return SFT_OK;
    }
    if (root->refused != SFT_OK) {
        refuse_store(store, root->refused, root->why);
        return SFT_OK;
    }
    if (store->first > root->elements || store->elements > root->elements - store->first ||
        store->item_size != root->item_size) {
        refuse_store(store, SFT_TENSOR_BOUNDS, "a view of its storage reaches beyond it");
        return SFT_OK;
    }
    /* Neither product is beyond the root's bytes. */
    store->storage = root->storage;
    store->offset = store->first * store->item_size;
    store->size = store->elements * store->item_size;
    return SFT_OK;
}

static sft_status resolve(sft_scope *scope, sft_store *store) {
    store->resolved = true;
    sft_status status = store->root != NULL         ? resolve_part(scope, store)
                        : scope->ids == SFT_IDS_ZIP ? sft_zip_resolve(scope, store)
                                                    : sft_legacy_resolve(scope, store);
    if (store->refused == SFT_OK && store->contradicted) {
        refuse_store(store, SFT_STORAGE_SIZE, contradiction);
    }
    return status;
}

/* What torch.storage._load_from_bytes makes of a text: a storage in a file of its own. */
static sft_status store_of_text(sft_scope *scope, sft_ref call, sft_store *store) {
    sft_scope *inner;
    *store = (sft_store){.key = "", .resolved = true};
    sft_status status = sft_scope_open_nested(scope, call, &inner, &store->refused, &store->why);
    if (status != SFT_OK || inner == NULL) {
        return status;
    }
    const sft_store *there = NULL;
    status = sft_scope_store(inner, inner->pickle.result, &there);
    if (status == SFT_OK && there != NULL) {
        /* Keys live as long as the inner pickle. */
        *store = *there;
        store->key = "";
        store->key_length = 0;
        store->root = NULL;
    } else if (status == SFT_OK) {
        refuse_store(store, SFT_MISSING_STORAGE,
                     "what stands for its storage is a file that holds something else");
    }
    sft_scope_close_nested(inner);
    return status;
}

/* The text is what is remembered: many calls may share it. */
static sft_status find_text_store(sft_scope *scope, sft_ref call, uint64_t *number) {
    const sft_graph *graph = &scope->pickle.graph;
    sft_ref argument = sft_value_argument(graph, call, 0);
    sft_ref text;
    bool latin1;
    if (argument == SFT_NO_REF || !sft_bytes_of(graph, argument, &text, &latin1)) {
        return SFT_OK;
    }
    sft_status status = sft_scope_make_store_of(scope);
    if (status == SFT_OK && scope->store_of[text] == 0) {
        sft_store store;
        status = store_of_text(scope, call, &store);
        if (status == SFT_OK) {
            status = sft_scope_add_store(scope, &store, number);
        }
        if (status == SFT_OK) {
            scope->store_of[text] = (uint32_t)*number + 1;
        }
    }
    if (status == SFT_OK) {
        uint64_t there = scope->store_of[text] - 1;
        *number = scope->stores[there].array ? UINT64_MAX : there;
    }
    return status;
}

sft_status sft_scope_store(sft_scope *scope, sft_ref ref, const sft_store **store) {
    const sft_graph *graph = &scope->pickle.graph;
    *store = NULL;
    if (ref == SFT_NO_REF) {
        return SFT_OK;
    }
    uint64_t number = UINT64_MAX;
    sft_status status = SFT_OK;
    if (sft_graph_kind(graph, ref) == SFT_VALUE_PERSISTENT) {
        bool entered = scope->store_of != NULL && scope->store_of[ref] > 0;
        number = entered ? scope->store_of[ref] - 1 : UINT64_MAX;
    } else if (sft_value_role(graph, ref, NULL) == SFT_ROLE_TORCH_LOAD_FROM_BYTES) {
        status = find_text_store(scope, ref, &number);
    }
    if (status != SFT_OK || number == UINT64_MAX) {
        return status;
    }
    if (!scope->stores[number].resolved) {
        status = resolve(scope, &scope->stores[number]);
    }
    *store = &scope->stores[number];
    return status;
}
