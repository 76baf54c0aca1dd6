#include "pickle/grow.h"

#include <string.h>

#include "base/memory.h"

/* Values and links are numbered in 32 bits. */
#define MOST UINT32_MAX

/* Room for so many elements more; number 0 stands for none, and is passed over. */
static bool room(sft_graph *graph, void **items, uint64_t *capacity, uint64_t *count, uint64_t more,
                 uint64_t size) {
    bool is_first = *count == 0;
    uint64_t wanted = *count + is_first + more;
    if (more > MOST || wanted > MOST) {
        graph->full = true;
        return false;
    }
    uint64_t grown = *capacity + *capacity / 2 + 8;
    if (wanted > *capacity &&
        !sft_reserve(&graph->allocator, items, capacity, wanted > grown ? wanted : grown, size)) {
        return false;
    }
    if (is_first) {
        memset(*items, 0, (size_t)size);
        *count = 1;
    }
    return true;
}

bool sft_graph_room_for_items(sft_graph *graph, uint64_t count) {
    void *links = graph->links;
    bool fits =
        room(graph, &links, &graph->link_capacity, &graph->link_count, count, sizeof *graph->links);
    graph->links = links;
    return fits;
}

bool sft_graph_room_for_text(sft_graph *graph) {
    void *texts = graph->texts;
    bool fits = sft_grow(&graph->allocator, &texts, &graph->text_capacity, graph->text_count,
                         sizeof *graph->texts);
    graph->texts = texts;
    return fits;
}

bool sft_graph_room_for_object(sft_graph *graph) {
    void *objects = graph->objects;
    bool fits = sft_grow(&graph->allocator, &objects, &graph->object_capacity, graph->object_count,
                         sizeof *graph->objects);
    graph->objects = objects;
    return fits;
}

sft_ref sft_graph_add(sft_graph *graph, sft_value_kind kind, uint8_t opcode, uint64_t at) {
    void *values = graph->values;
    bool fits =
        room(graph, &values, &graph->value_capacity, &graph->value_count, 1, sizeof *graph->values);
    graph->values = values;
    if (!fits) {
        return SFT_NO_REF;
    }
    sft_value *value = &graph->values[graph->value_count];
    memset(value, 0, sizeof *value);
    value->kind = (uint8_t)kind;
    value->opcode = opcode;
    value->at = at;
    return (sft_ref)graph->value_count++;
}

void sft_graph_set_text(sft_graph *graph, sft_ref ref, const char *bytes, uint64_t offset,
                        uint64_t length) {
    graph->texts[graph->text_count] = (sft_long_text){{bytes, offset}, length};
    graph->values[ref].text = graph->text_count++;
}

void sft_graph_set_object(sft_graph *graph, sft_ref ref, const sft_object *object) {
    graph->objects[graph->object_count] = *object;
    /* There are no more objects than values. */
    graph->values[ref].object = (uint32_t)graph->object_count++;
}

void sft_graph_add_item(sft_graph *graph, sft_items *items, uint32_t *count, sft_ref item) {
    uint32_t number = (uint32_t)graph->link_count++;
    graph->links[number] = (sft_link){item, 0};
    if (items->last != 0) {
        graph->links[items->last].next = number;
    } else {
        items->first = number;
    }
    items->last = number;
    ++*count;
}

bool sft_graph_add_effect(sft_graph *graph, const sft_effect *effect) {
    void *effects = graph->effects;
    bool fits = sft_grow(&graph->allocator, &effects, &graph->effect_capacity, graph->effect_count,
                         sizeof *graph->effects);
    graph->effects = effects;
    if (!fits) {
        return false;
    }
    graph->effects[graph->effect_count++] = *effect;
    return true;
}
