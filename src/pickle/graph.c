#include "pickle/graph.h"

#include <string.h>

#include "base/memory.h"

void sft_graph_init(sft_graph *graph, const sft_allocator *allocator) {
    memset(graph, 0, sizeof *graph);
    graph->allocator = sft_allocator_of(allocator);
    sft_arena_init(&graph->arena, &graph->allocator);
}

void sft_graph_free(sft_graph *graph) {
    const sft_allocator *allocator = &graph->allocator;
    sft_release(allocator, graph->values, graph->value_capacity * sizeof *graph->values);
    sft_release(allocator, graph->links, graph->link_capacity * sizeof *graph->links);
    sft_release(allocator, graph->objects, graph->object_capacity * sizeof *graph->objects);
    sft_release(allocator, graph->texts, graph->text_capacity * sizeof *graph->texts);
    sft_release(allocator, graph->effects, graph->effect_capacity * sizeof *graph->effects);
    sft_arena_free(&graph->arena);
    sft_graph_init(graph, allocator);
}

/* The text of a STR or OLD_STR that is in memory, else NULL. */
static const sft_long_text *text_in_memory(const sft_graph *graph, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(graph, ref);
    if (kind != SFT_VALUE_STR && kind != SFT_VALUE_OLD_STR) {
        return NULL;
    }
    const sft_long_text *text = sft_graph_text(graph, ref);
    return text->text.bytes != NULL ? text : NULL;
}

bool sft_graph_is_text(const sft_graph *graph, sft_ref ref, const char *text) {
    const sft_long_text *here = text_in_memory(graph, ref);
    size_t length = strlen(text);
    return here != NULL && here->length == length && memcmp(here->text.bytes, text, length) == 0;
}

static bool has_items(sft_value_kind kind) {
    return kind == SFT_VALUE_LIST || kind == SFT_VALUE_TUPLE || kind == SFT_VALUE_DICT ||
           kind == SFT_VALUE_SET || kind == SFT_VALUE_FROZENSET || kind == SFT_VALUE_PERSISTENT;
}

sft_ref sft_graph_at(const sft_graph *graph, sft_ref ref, uint32_t index) {
    const sft_value *value = sft_graph_value(graph, ref);
    if (!has_items((sft_value_kind)value->kind) || index >= value->count) {
        return SFT_NO_REF;
    }
    uint32_t link = value->items.first;
    for (uint32_t i = 0; i < index; i++) {
        link = graph->links[link].next;
    }
    return graph->links[link].value;
}

bool sft_graph_size(const sft_graph *graph, sft_ref ref, uint64_t *size) {
    const sft_value *value = sft_graph_value(graph, ref);
    if ((value->kind != SFT_VALUE_INT && value->kind != SFT_VALUE_BOOL) || value->integer < 0) {
        return false;
    }
    *size = (uint64_t)value->integer;
    return true;
}

bool sft_graph_pair(const sft_graph *graph, sft_ref ref, sft_pair *pair) {
    const sft_value *value = sft_graph_value(graph, ref);
    if (value->kind != SFT_VALUE_GLOBAL) {
        return false;
    }
    const sft_long_text *module = text_in_memory(graph, value->global.module);
    const sft_long_text *name = text_in_memory(graph, value->global.name);
    if (module == NULL || name == NULL) {
        return false;
    }
    *pair = (sft_pair){module->text.bytes, (size_t)module->length, name->text.bytes,
                       (size_t)name->length};
    return true;
}
