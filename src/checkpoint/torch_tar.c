/*
 * What torch.save wrote before 0.1.10: a tar archive of three files. "storages" and "tensors" are
 * rows of small pickles with raw numbers between them; "pickle" is the object, in which tensors are
 * persistent ids. The layout is that of legacy_load() in torch/serialization.py.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/finder.h"
#include "checkpoint/tar.h"

/* A member that is read from its beginning on. */
typedef struct reader {
    sft_scope *scope;
    sft_region region;
    uint64_t at;
    sft_pickle pickle; /* the last one that was read */
    bool no_memory;    /* for a key */
} reader;

static sft_status fail(const reader *r, const char *message) {
    sft_fail(r->scope->finder->error, SFT_MALFORMED_SOURCE, r->at, "%s", message);
    return SFT_MALFORMED_SOURCE;
}

static sft_status next_pickle(reader *r) {
    sft_finder *finder = r->scope->finder;
    sft_pickle_input input = sft_region_input(&r->region);
    sft_pickle_options options = {.allocator = &finder->allocator, .memory = finder->memory};
    sft_pickle_free(&r->pickle);
    sft_status status = sft_pickle_read(&r->pickle, &input, r->at, &options, finder->error);
    if (status != SFT_OK) {
        return status;
    }
    if (r->pickle.end == SFT_PICKLE_LIMIT) {
        sft_fail(finder->error, SFT_SOURCE_LIMIT, r->pickle.position, "%s", r->pickle.what);
        return SFT_SOURCE_LIMIT;
    }
    if (r->pickle.end != SFT_PICKLE_STOPPED) {
        return fail(r, r->pickle.what);
    }
    r->at = r->pickle.position;
    return SFT_OK;
}

static sft_status next_number(reader *r, uint64_t size, uint64_t *number) {
    unsigned char bytes[8];
    *number = 0;
    sft_status status = sft_region_read(&r->region, r->at, bytes, size, r->scope->finder->error);
    for (uint64_t i = 0; i < size && status == SFT_OK; i++) {
        *number |= (uint64_t)bytes[i] << (8 * i);
    }
    r->at += size;
    return status;
}

/* Keys are addresses in the memory of the process that saved; as text, so that they can be looked
 * up. NULL where it is none, or where there is no memory. */
static char *copy_key(reader *r, sft_ref ref, size_t *length) {
    const sft_graph *graph = &r->pickle.graph;
    uint64_t number;
    char text[24];
    if (ref == SFT_NO_REF || !sft_graph_size(graph, ref, &number)) {
        return NULL;
    }
    *length = (size_t)snprintf(text, sizeof text, "%" PRIu64, number);
    char *copy = sft_finder_text(r->scope->finder, text, *length);
    r->no_memory = r->no_memory || copy == NULL;
    return copy;
}

static sft_ref item(const reader *r, sft_ref tuple, uint32_t index) {
    return tuple != SFT_NO_REF ? sft_graph_at(&r->pickle.graph, tuple, index) : SFT_NO_REF;
}

/* ---- storages ---- */

static sft_status add_store(reader *r, const sft_store *store) {
    uint64_t number;
    sft_scope *scope = r->scope;
    sft_status status = sft_scope_add_store(scope, store, &number);
    if (status != SFT_OK) {
        return status;
    }
    switch (sft_names_add(&scope->keys, scope->stores, sizeof *scope->stores, number)) {
    case SFT_NAMES_ADDED:
        return SFT_OK;
    case SFT_NAMES_DUPLICATE:
        return fail(r, "two storages have one key");
    default:
        return sft_fail_memory(scope->finder->error);
    }
}

/* (key, location, class), then an int64 that counts the elements, then these. */
static sft_status read_storage(reader *r) {
    sft_store store = {.resolved = true};
    sft_status status = next_pickle(r);
    if (status != SFT_OK) {
        return status;
    }
    sft_ref tuple = r->pickle.result;
    sft_ref class = item(r, tuple, 2);
    store.key = copy_key(r, item(r, tuple, 0), &store.key_length);
    if (store.key == NULL || class == SFT_NO_REF ||
        !sft_torch_storage_class(&r->pickle.graph, class, &store.dtype, &store.item_size)) {
        return r->no_memory ? sft_fail_memory(r->scope->finder->error)
                            : fail(r, "a storage is not described by a key, a place and a class");
    }
    status = next_number(r, 8, &store.elements);
    sft_region bytes;
    if (status == SFT_OK && (!sft_multiply(store.elements, store.item_size, &store.size) ||
                             !sft_region_part(&r->region, r->at, store.size, &bytes))) {
        status = fail(r, "a storage would end after the file");
    }
    if (status == SFT_OK) {
        r->at += store.size;
        status = sft_finder_storage(r->scope->finder, &bytes, false, &store.storage);
    }
    return status == SFT_OK ? add_store(r, &store) : status;
}

/* (key, key of the root, first element, elements): a part of another storage. */
static sft_status read_part(reader *r, sft_ref tuple) {
    sft_scope *scope = r->scope;
    size_t length;
    uint64_t first;
    uint64_t elements;
    sft_store part = {.resolved = true};
    sft_ref numbers[2] = {item(r, tuple, 2), item(r, tuple, 3)};
    part.key = copy_key(r, item(r, tuple, 0), &part.key_length);
    const char *root_key = copy_key(r, item(r, tuple, 1), &length);
    uint64_t root = root_key != NULL ? sft_scope_find_store(scope, root_key, length) : UINT64_MAX;
    if (part.key == NULL || root == UINT64_MAX || numbers[0] == SFT_NO_REF ||
        numbers[1] == SFT_NO_REF || !sft_graph_size(&r->pickle.graph, numbers[0], &first) ||
        !sft_graph_size(&r->pickle.graph, numbers[1], &elements)) {
        return fail(r, "a part of a storage is not described by two keys and two numbers");
    }
    const sft_store *whole = &scope->stores[root];
    if (first > whole->elements || elements > whole->elements - first) {
        return fail(r, "a part of a storage reaches beyond it");
    }
    part.dtype = whole->dtype;
    part.item_size = whole->item_size;
    part.elements = elements;
    part.storage = whole->storage;
    part.offset = whole->offset + first * whole->item_size;
    part.size = elements * whole->item_size;
    return add_store(r, &part);
}

static sft_status read_storages(reader *r) {
    uint64_t count;
    sft_status status = next_pickle(r);
    if (status == SFT_OK && !sft_graph_size(&r->pickle.graph, r->pickle.result, &count)) {
        status = fail(r, "\"storages\" does not begin with their number");
    }
    for (uint64_t i = 0; status == SFT_OK && i < count; i++) {
        status = read_storage(r);
    }
    if (status == SFT_OK) {
        status = next_pickle(r);
    }
    if (status != SFT_OK) {
        return status;
    }
    const sft_value *parts = sft_graph_value(&r->pickle.graph, r->pickle.result);
    if (parts->kind != SFT_VALUE_LIST && parts->kind != SFT_VALUE_TUPLE) {
        return fail(r, "\"storages\" does not end with the list of their parts");
    }
    for (uint32_t link = parts->items.first; status == SFT_OK && link != 0;) {
        status = read_part(r, sft_graph_item(&r->pickle.graph, &link));
    }
    return status;
}

/* ---- tensors ---- */

static sft_status read_numbers(reader *r, uint64_t *numbers, sft_tar_tensor *tensor) {
    for (uint32_t i = 0; i < tensor->rank; i++) {
        sft_status status = next_number(r, 8, &numbers[i]);
        if (status != SFT_OK) {
            return status;
        }
        tensor->result = numbers[i] > INT64_MAX ? SFT_SHAPE_NEGATIVE : tensor->result;
    }
    return SFT_OK;
}

/* The number of dimensions in eight bytes, of which four count; sizes, strides, and the offset. */
static sft_status read_shape(reader *r, sft_tar_tensor *tensor) {
    uint64_t rank;
    uint64_t padding;
    sft_status status = next_number(r, 4, &rank);
    if (status == SFT_OK) {
        status = next_number(r, 4, &padding);
    }
    if (status != SFT_OK) {
        return status;
    }
    if (rank > SFT_RANK_MAX) {
        sft_fail(r->scope->finder->error, SFT_SOURCE_LIMIT, r->at,
                 "a tensor of more than %d dimensions", SFT_RANK_MAX);
        return SFT_SOURCE_LIMIT;
    }
    tensor->rank = (uint32_t)rank;
    uint64_t *numbers = sft_arena_take(&r->scope->finder->found->arena, 2 * rank * sizeof *numbers);
    if (numbers == NULL) {
        return sft_fail_memory(r->scope->finder->error);
    }
    tensor->shape = numbers;
    tensor->strides = numbers + rank;
    status = read_numbers(r, numbers, tensor);
    if (status == SFT_OK) {
        status = read_numbers(r, numbers + rank, tensor);
    }
    return status == SFT_OK ? next_number(r, 8, &tensor->offset) : status;
}

/* (key, key of the storage, class), then the numbers. */
static sft_status read_tensor(reader *r) {
    sft_scope *scope = r->scope;
    sft_tar_tensor tensor = {.result = SFT_SHAPE_READ};
    sft_status status = next_pickle(r);
    if (status != SFT_OK) {
        return status;
    }
    size_t length;
    tensor.key = copy_key(r, item(r, r->pickle.result, 0), &tensor.key_length);
    const char *storage = copy_key(r, item(r, r->pickle.result, 1), &length);
    tensor.store = storage != NULL ? sft_scope_find_store(scope, storage, length) : UINT64_MAX;
    if (tensor.key == NULL || tensor.store == UINT64_MAX) {
        return r->no_memory ? sft_fail_memory(scope->finder->error)
                            : fail(r, "a tensor is not described by a key and that of a storage");
    }
    status = read_shape(r, &tensor);
    if (status != SFT_OK) {
        return status;
    }
    if (scope->tar_count >= SFT_NAMES_MAX ||
        !sft_grow(&scope->finder->allocator, (void **)&scope->tar, &scope->tar_capacity,
                  scope->tar_count, sizeof *scope->tar)) {
        return sft_fail_memory(scope->finder->error);
    }
    scope->tar[scope->tar_count++] = tensor;
    switch (sft_names_add(&scope->placed, scope->tar, sizeof *scope->tar, scope->tar_count - 1)) {
    case SFT_NAMES_ADDED:
        return sft_finder_check_memory(scope->finder);
    case SFT_NAMES_DUPLICATE:
        return fail(r, "two tensors have one key");
    default:
        return sft_fail_memory(scope->finder->error);
    }
}

static sft_status read_tensors(reader *r) {
    uint64_t count;
    sft_status status = next_pickle(r);
    if (status == SFT_OK && !sft_graph_size(&r->pickle.graph, r->pickle.result, &count)) {
        status = fail(r, "\"tensors\" does not begin with their number");
    }
    for (uint64_t i = 0; status == SFT_OK && i < count; i++) {
        status = read_tensor(r);
    }
    return status;
}

/* The tensor that an id means: a number, or a text of its digits. */
static uint64_t find_tensor(sft_scope *scope, sft_ref persistent) {
    const sft_graph *graph = &scope->pickle.graph;
    sft_ref id = sft_graph_at(graph, persistent, 0);
    uint64_t number;
    char text[24];
    const char *key = text;
    size_t length;
    if (id == SFT_NO_REF) {
        return UINT64_MAX;
    }
    if (sft_graph_size(graph, id, &number)) {
        length = (size_t)snprintf(text, sizeof text, "%" PRIu64, number);
    } else if (sft_graph_kind(graph, id) == SFT_VALUE_STR ||
               sft_graph_kind(graph, id) == SFT_VALUE_OLD_STR) {
        key = sft_graph_text(graph, id)->text.bytes;
        length = (size_t)sft_graph_text(graph, id)->length;
    } else {
        return UINT64_MAX;
    }
    return key != NULL ? sft_names_find(&scope->placed, scope->tar, sizeof *scope->tar, key, length)
                       : UINT64_MAX;
}

sft_status sft_tar_tensor_of(sft_scope *scope, sft_ref ref, sft_found_tensor *tensor,
                             bool *is_tensor) {
    *tensor = (sft_found_tensor){.refused = SFT_OK};
    uint64_t number = scope->ids == SFT_IDS_TAR ? find_tensor(scope, ref) : UINT64_MAX;
    *is_tensor = number != UINT64_MAX;
    if (!*is_tensor) {
        return SFT_OK;
    }
    const sft_tar_tensor *there = &scope->tar[number];
    const sft_store *store = &scope->stores[there->store];
    if (store->dtype == SFT_NO_DTYPE) {
        return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR,
                          "its elements are of a type that cannot be converted");
    }
    if (there->result != SFT_SHAPE_READ) {
        return sft_refuse(scope->finder, tensor, SFT_TENSOR_BOUNDS,
                          "a size or a stride of it is negative");
    }
    sft_view view = {.dtype = (sft_dtype)store->dtype,
                     .rank = there->rank,
                     .offset = there->offset,
                     .storage = store->storage,
                     .skipped = store->offset,
                     .size = store->size};
    for (uint32_t i = 0; i < there->rank; i++) {
        view.shape[i] = there->shape[i];
        view.strides[i] = there->strides[i];
    }
    return sft_view_check(scope->finder, &view, tensor);
}

/* ---- the archive ---- */

static sft_status read_member(sft_scope *scope, const sft_region *archive, const char *name,
                              sft_status (*read)(reader *r)) {
    sft_finder *finder = scope->finder;
    reader r = {.scope = scope};
    sft_graph_init(&r.pickle.graph, &finder->allocator);
    sft_status status =
        sft_tar_find(archive, name, &finder->found->sources, &r.region, finder->error);
    if (status == SFT_OK) {
        status = read(&r);
    }
    sft_pickle_free(&r.pickle);
    return status;
}

sft_status sft_find_tar(sft_finder *finder, const sft_region *region) {
    sft_region pickle;
    sft_status status =
        sft_tar_find(region, "pickle", &finder->found->sources, &pickle, finder->error);
    if (status == SFT_OK) {
        sft_scope scope;
        sft_scope_init(&scope, finder, &pickle, SFT_IDS_TAR);
        finder->found->format = SFT_FORMAT_TORCH_TAR;
        finder->found->torch = true;
        status = read_member(&scope, region, "storages", read_storages);
        if (status == SFT_OK) {
            status = read_member(&scope, region, "tensors", read_tensors);
        }
        if (status == SFT_OK) {
            status = sft_scope_read(&scope, 0);
        }
        if (status == SFT_OK) {
            status = sft_find_leaves(&scope);
        }
        sft_scope_free(&scope);
    }
    if (status == SFT_NOT_FOUND) {
        status = SFT_UNSUPPORTED_SOURCE;
        sft_fail(finder->error, status, SFT_NO_BYTE,
                 "a tar archive that torch.save did not make: it lacks \"pickle\", \"storages\" or "
                 "\"tensors\"");
    }
    return status;
}
