/* How a graph gets its values. Each call that adds fails where there is no memory or number left.
 */
#ifndef SFT_SRC_PICKLE_GROW_H
#define SFT_SRC_PICKLE_GROW_H

#include "pickle/graph.h"

/* A value of a kind, without contents; SFT_NO_REF where there is no room. */
sft_ref sft_graph_add(sft_graph *graph, sft_value_kind kind, uint8_t opcode, uint64_t at);

/* Gives a value its text: `bytes` of the graph's arena, or NULL for one that stays in the input. */
bool sft_graph_add_text(sft_graph *graph, sft_ref ref, const char *bytes, uint64_t offset,
                        uint64_t length);

/* Gives an OBJECT what its fields begin with. */
bool sft_graph_add_object(sft_graph *graph, sft_ref ref, const sft_object *object);

/* Puts a value at the end of a row. */
bool sft_graph_add_item(sft_graph *graph, sft_items *items, uint32_t *count, sft_ref item);

bool sft_graph_add_effect(sft_graph *graph, const sft_effect *effect);

/* Whether the last call failed because numbers have ended, rather than memory. */
bool sft_graph_full(const sft_graph *graph);

static inline sft_object *sft_graph_object_of(sft_graph *graph, sft_ref ref) {
    return &graph->objects[graph->values[ref].object];
}

#endif
