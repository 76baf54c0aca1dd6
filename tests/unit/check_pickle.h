/* What holds for every pickle that was read, whatever its bytes. */
#ifndef SFT_TESTS_CHECK_PICKLE_H
#define SFT_TESTS_CHECK_PICKLE_H

#include <string.h>

#include "pickle/machine.h"

/* An input over bytes in memory, which sees to it that none is asked for twice or out of bounds. */
typedef struct check_input {
    const unsigned char *bytes;
    uint64_t size;
    uint64_t next; /* the first byte that may still be asked for */
    bool wrong;
} check_input;

static inline sft_status check_input_read(void *context, uint64_t offset, void *to, uint64_t size,
                                          sft_error *error) {
    check_input *input = context;
    (void)error;
    if (offset < input->next || offset > input->size || size > input->size - offset) {
        input->wrong = true;
        return SFT_READ_FAILED;
    }
    memcpy(to, input->bytes + offset, (size_t)size);
    input->next = offset + size;
    return SFT_OK;
}

static inline sft_pickle_input check_input_of(check_input *input) {
    return (sft_pickle_input){input, check_input_read, input->size};
}

static inline bool check_ref(const sft_graph *graph, sft_ref ref) {
    return ref != SFT_NO_REF && ref < graph->value_count;
}

static inline bool check_row(const sft_graph *graph, sft_items items, uint32_t count) {
    uint32_t link = items.first;
    uint32_t last = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (link == 0 || link >= graph->link_count || !check_ref(graph, graph->links[link].value)) {
            return false;
        }
        last = link;
        sft_graph_item(graph, &link);
    }
    return link == 0 && last == items.last;
}

static inline bool check_text(const sft_graph *graph, const sft_value *value, uint64_t size) {
    if (value->text >= graph->text_count) {
        return false;
    }
    const sft_long_text *text = &graph->texts[value->text];
    if (text->text.bytes != NULL) {
        /* UNICODE turns bytes above 0x7f into two. */
        return text->length <= 2 * size;
    }
    return text->text.offset <= size && text->length <= size - text->text.offset;
}

static inline bool check_object(const sft_graph *graph, const sft_value *value) {
    if (value->object >= graph->object_count) {
        return false;
    }
    const sft_object *object = &graph->objects[value->object];
    return check_ref(graph, object->callee) && check_ref(graph, object->arguments) &&
           (object->call == SFT_CALL_NEWOBJ_EX) == (object->keywords != SFT_NO_REF) &&
           object->keywords < graph->value_count &&
           check_row(graph, object->states, object->state_count) &&
           check_row(graph, object->appended, object->appended_count) &&
           check_row(graph, object->set, object->set_count) && object->set_count % 2 == 0;
}

static inline bool check_value(const sft_graph *graph, const sft_value *value, uint64_t size) {
    switch ((sft_value_kind)value->kind) {
    case SFT_VALUE_NONE:
    case SFT_VALUE_INT:
    case SFT_VALUE_FLOAT:
        return true;
    case SFT_VALUE_BOOL:
        return value->integer == 0 || value->integer == 1;
    case SFT_VALUE_BIG_INT:
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_BYTES:
    case SFT_VALUE_BYTEARRAY:
        return check_text(graph, value, size);
    case SFT_VALUE_DICT:
        return value->count % 2 == 0 && check_row(graph, value->items, value->count);
    case SFT_VALUE_PERSISTENT:
        return value->count == 1 && check_row(graph, value->items, value->count);
    case SFT_VALUE_LIST:
    case SFT_VALUE_TUPLE:
    case SFT_VALUE_SET:
    case SFT_VALUE_FROZENSET:
        return check_row(graph, value->items, value->count);
    case SFT_VALUE_GLOBAL:
        return check_ref(graph, value->global.module) && check_ref(graph, value->global.name);
    case SFT_VALUE_OBJECT:
        return check_object(graph, value);
    case SFT_VALUE_EXTENSION:
        return value->integer > 0;
    case SFT_VALUE_BUFFER:
        return value->integer >= 0;
    }
    return false;
}

/* What an effect's subject is, and whether it has an argument. */
static inline bool check_effect(const sft_graph *graph, const sft_effect *effect) {
    bool has_subject = check_ref(graph, effect->subject);
    bool has_argument = check_ref(graph, effect->argument);
    sft_value_kind kind = has_subject ? sft_graph_kind(graph, effect->subject) : SFT_VALUE_NONE;
    switch ((sft_effect_kind)effect->kind) {
    case SFT_EFFECT_GLOBAL:
        return has_subject && kind == SFT_VALUE_GLOBAL && !has_argument;
    case SFT_EFFECT_CALL:
        return has_subject && kind == SFT_VALUE_OBJECT && !has_argument;
    case SFT_EFFECT_STATE:
    case SFT_EFFECT_APPEND:
        return has_subject && has_argument;
    case SFT_EFFECT_SET_ITEM:
        return has_subject && has_argument && kind != SFT_VALUE_DICT;
    case SFT_EFFECT_PERSISTENT:
        return has_subject && kind == SFT_VALUE_PERSISTENT && !has_argument;
    case SFT_EFFECT_EXTENSION:
        return has_subject && kind == SFT_VALUE_EXTENSION && !has_argument;
    case SFT_EFFECT_BUFFER:
        return has_subject && !has_argument;
    case SFT_EFFECT_STRADDLED:
    case SFT_EFFECT_LEFTOVER:
    case SFT_EFFECT_MEMO:
        return !has_subject && !has_argument;
    }
    return false;
}

static inline const char *check_graph(const sft_graph *graph, uint64_t start, uint64_t size) {
    for (uint64_t i = 1; i < graph->value_count; i++) {
        const sft_value *value = &graph->values[i];
        if (value->at < start || value->at >= size || sft_opcode_name(value->opcode) == NULL) {
            return "a value was made by no opcode";
        }
        if (!check_value(graph, value, size)) {
            return "a value refers to what is not there";
        }
    }
    uint64_t at = start;
    for (uint64_t i = 0; i < graph->effect_count; i++) {
        const sft_effect *effect = &graph->effects[i];
        if (effect->at < at || !check_effect(graph, effect)) {
            return "an effect is out of order, or of nothing";
        }
        at = effect->at;
    }
    return NULL;
}

/* No opcode makes more values than it has bytes, and each value comes into a row at most once. */
static inline const char *check_linear(const sft_graph *graph, uint64_t left) {
    bool linear = graph->value_count <= left + 1 && graph->link_count <= left + 1 &&
                  graph->effect_count <= 2 * left + 1 && graph->text_count <= left &&
                  graph->object_count <= left;
    return linear ? NULL : "a graph larger than its input";
}

/* NULL, or what is wrong with a pickle that was read without an error. */
static inline const char *check_pickle(const sft_pickle *pickle, uint64_t size) {
    bool stopped = pickle->end == SFT_PICKLE_STOPPED;
    if (stopped != (pickle->result != SFT_NO_REF) || stopped != (pickle->what == NULL)) {
        return "an end that is no end";
    }
    if (pickle->end == SFT_PICKLE_FAILED || pickle->position > size ||
        pickle->position < pickle->start || pickle->protocol > 5) {
        return "it ended where it cannot";
    }
    if (stopped && (!check_ref(&pickle->graph, pickle->result) || pickle->opcode != '.')) {
        return "STOP without a result";
    }
    const char *wrong = check_graph(&pickle->graph, pickle->start, size);
    return wrong != NULL ? wrong : check_linear(&pickle->graph, size - pickle->start);
}

#endif
