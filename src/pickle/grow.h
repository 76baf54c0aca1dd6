/*
 * How a graph gets its values. Room is made first, for all that a value consists of, so that a
 * graph is whole wherever memory ends.
 */
#ifndef SFT_SRC_PICKLE_GROW_H
#define SFT_SRC_PICKLE_GROW_H

#include "pickle/graph.h"

/* Each is false where there is no memory, or no number, for one more, or for so many items. */
bool sft_graph_room_for_text(sft_graph *graph);
bool sft_graph_room_for_object(sft_graph *graph);
bool sft_graph_room_for_items(sft_graph *graph, uint64_t count);

/* A value of a kind, without contents; SFT_NO_REF where there is no room. */
sft_ref sft_graph_add(sft_graph *graph, sft_value_kind kind, uint8_t opcode, uint64_t at);

/* Gives a value its text: `bytes` of the graph's arena, or NULL for one that stays in the input. */
void sft_graph_set_text(sft_graph *graph, sft_ref ref, const char *bytes, uint64_t offset,
                        uint64_t length);

/* Gives an OBJECT what its fields begin with. */
void sft_graph_set_object(sft_graph *graph, sft_ref ref, const sft_object *object);

/* Puts a value at the end of a row. */
void sft_graph_add_item(sft_graph *graph, sft_items *items, uint32_t *count, sft_ref item);

/* False where there is no memory. */
bool sft_graph_add_effect(sft_graph *graph, const sft_effect *effect);

static inline sft_object *sft_graph_object_of(sft_graph *graph, sft_ref ref) {
    return &graph->objects[graph->values[ref].object];
}

#endif
