#include "checkpoint/torch_id.h"

#include <string.h>

#include <sft/dtype.h>

/* Storages of types that are none of ours, whose bytes must be counted nevertheless. */
static uint32_t foreign_size(const char *name) {
    static const struct {
        const char *name;
        uint32_t size;
    } sizes[] = {{"ComplexDoubleStorage", 16}, {"QInt8Storage", 1},    {"QUInt8Storage", 1},
                 {"QInt32Storage", 4},         {"QUInt4x2Storage", 1}, {"QUInt2x4Storage", 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (strcmp(sizes[i].name, name) == 0) {
            return sizes[i].size;
        }
    }
    return 0;
}

bool sft_torch_storage_class(const sft_graph *graph, sft_ref ref, uint8_t *dtype,
                             uint32_t *item_size) {
    const sft_policy_entry *entry = NULL;
    sft_role role = sft_policy_role(graph, ref, &entry);
    if (role == SFT_ROLE_TORCH_UNTYPED_STORAGE) {
        *dtype = SFT_U8;
        *item_size = 1;
        return true;
    }
    if (role != SFT_ROLE_TORCH_STORAGE_CLASS || entry == NULL) {
        return false;
    }
    *dtype = entry->dtype;
    *item_size = entry->dtype != SFT_NO_DTYPE ? sft_dtype_bits((sft_dtype)entry->dtype) / 8
                                              : foreign_size(entry->name);
    return *item_size > 0;
}

static bool read_key(const sft_graph *graph, sft_ref ref, const char **key, size_t *length) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    if (kind != SFT_VALUE_STR && kind != SFT_VALUE_OLD_STR) {
        return false;
    }
    const sft_long_text *text = sft_graph_text(graph, ref);
    *key = text->text.bytes;
    *length = (size_t)text->length;
    return text->text.bytes != NULL;
}

static bool read_view(const sft_graph *graph, sft_ref view, sft_torch_id *id) {
    if (sft_graph_kind(graph, view) == SFT_VALUE_NONE) {
        return true;
    }
    const sft_value *value = sft_graph_value(graph, view);
    return value->kind == SFT_VALUE_TUPLE && value->count == 3 &&
           read_key(graph, sft_graph_at(graph, view, 0), &id->view_key, &id->view_key_length) &&
           sft_graph_size(graph, sft_graph_at(graph, view, 1), &id->view_offset) &&
           sft_graph_size(graph, sft_graph_at(graph, view, 2), &id->view_elements);
}

/* The tuple of an id that begins with this word; SFT_NO_REF for others. */
static sft_ref id_tuple(const sft_graph *graph, sft_ref persistent, const char *word,
                        uint32_t count) {
    if (sft_graph_kind(graph, persistent) != SFT_VALUE_PERSISTENT) {
        return SFT_NO_REF;
    }
    sft_ref tuple = sft_graph_at(graph, persistent, 0);
    if (tuple == SFT_NO_REF || sft_graph_kind(graph, tuple) != SFT_VALUE_TUPLE ||
        sft_graph_value(graph, tuple)->count != count) {
        return SFT_NO_REF;
    }
    return sft_graph_is_text(graph, sft_graph_at(graph, tuple, 0), word) ? tuple : SFT_NO_REF;
}

bool sft_torch_id_of(const sft_graph *graph, sft_ref persistent, bool legacy, sft_torch_id *id) {
    *id = (sft_torch_id){.key = NULL};
    sft_ref tuple = id_tuple(graph, persistent, "storage", legacy ? 6 : 5);
    if (tuple == SFT_NO_REF ||
        !sft_torch_storage_class(graph, sft_graph_at(graph, tuple, 1), &id->dtype,
                                 &id->item_size) ||
        !read_key(graph, sft_graph_at(graph, tuple, 2), &id->key, &id->key_length) ||
        !sft_graph_size(graph, sft_graph_at(graph, tuple, 4), &id->elements)) {
        return false;
    }
    id->view_elements = id->elements;
    return !legacy || read_view(graph, sft_graph_at(graph, tuple, 5), id);
}

sft_ref sft_torch_module_of(const sft_graph *graph, sft_ref persistent) {
    sft_ref tuple = id_tuple(graph, persistent, "module", 4);
    return tuple != SFT_NO_REF ? sft_graph_at(graph, tuple, 1) : SFT_NO_REF;
}
