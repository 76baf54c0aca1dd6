#include "checkpoint/values.h"

#include <string.h>

#include "base/checked.h"

sft_role sft_value_role(const sft_graph *graph, sft_ref ref, const sft_policy_entry **entry) {
    if (ref == SFT_NO_REF || sft_graph_kind(graph, ref) != SFT_VALUE_OBJECT) {
        return SFT_ROLE_NONE;
    }
    return sft_policy_role(graph, sft_graph_object(graph, ref)->callee, entry);
}

uint32_t sft_value_arguments(const sft_graph *graph, sft_ref ref) {
    sft_ref arguments = sft_graph_object(graph, ref)->arguments;
    return arguments != SFT_NO_REF && sft_graph_kind(graph, arguments) == SFT_VALUE_TUPLE
               ? sft_graph_value(graph, arguments)->count
               : 0;
}

sft_ref sft_value_argument(const sft_graph *graph, sft_ref ref, uint32_t index) {
    return index < sft_value_arguments(graph, ref)
               ? sft_graph_at(graph, sft_graph_object(graph, ref)->arguments, index)
               : SFT_NO_REF;
}

sft_ref sft_value_state(const sft_graph *graph, sft_ref ref) {
    const sft_object *object = sft_graph_object(graph, ref);
    return object->state_count > 0 ? graph->links[object->states.last].value : SFT_NO_REF;
}

sft_ref sft_value_lookup(const sft_graph *graph, sft_ref dict, const char *key) {
    sft_ref found = SFT_NO_REF;
    if (dict == SFT_NO_REF || sft_graph_kind(graph, dict) != SFT_VALUE_DICT) {
        return found;
    }
    for (uint32_t link = sft_graph_value(graph, dict)->items.first; link != 0;) {
        sft_ref name = sft_graph_item(graph, &link);
        sft_ref value = link != 0 ? sft_graph_item(graph, &link) : SFT_NO_REF;
        found = sft_graph_is_text(graph, name, key) ? value : found;
    }
    return found;
}

bool sft_value_was_whole(const sft_graph *graph, sft_ref ref, sft_ref arguments) {
    if (ref == SFT_NO_REF || (sft_graph_kind(graph, ref) != SFT_VALUE_LIST &&
                              sft_graph_kind(graph, ref) != SFT_VALUE_DICT)) {
        return true;
    }
    return arguments != SFT_NO_REF && sft_graph_kind(graph, arguments) == SFT_VALUE_TUPLE &&
           sft_graph_value(graph, ref)->items.last <= sft_graph_value(graph, arguments)->items.last;
}

sft_shape_result sft_value_shape(const sft_graph *graph, sft_ref ref, uint64_t shape[SFT_RANK_MAX],
                                 uint32_t *rank) {
    *rank = 0;
    if (sft_value_role(graph, ref, NULL) == SFT_ROLE_TORCH_SIZE) {
        ref = sft_value_argument(graph, ref, 0);
    }
    if (ref == SFT_NO_REF || (sft_graph_kind(graph, ref) != SFT_VALUE_TUPLE &&
                              sft_graph_kind(graph, ref) != SFT_VALUE_LIST)) {
        return SFT_SHAPE_NONE;
    }
    if (sft_graph_value(graph, ref)->count > SFT_RANK_MAX) {
        return SFT_SHAPE_LARGE;
    }
    for (uint32_t link = sft_graph_value(graph, ref)->items.first; link != 0;) {
        sft_ref item = sft_graph_item(graph, &link);
        if (!sft_graph_size(graph, item, &shape[*rank])) {
            const sft_value *value = sft_graph_value(graph, item);
            return value->kind == SFT_VALUE_INT && value->integer < 0 ? SFT_SHAPE_NEGATIVE
                                                                      : SFT_SHAPE_NONE;
        }
        (*rank)++;
    }
    return SFT_SHAPE_READ;
}

bool sft_shape_elements(const uint64_t *shape, uint32_t rank, uint64_t *elements) {
    *elements = 1;
    bool fits = true;
    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] == 0) {
            *elements = 0;
            return true;
        }
        fits = fits && sft_multiply(*elements, shape[i], elements);
    }
    return fits;
}
