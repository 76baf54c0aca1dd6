#include <string.h>

#include "base/memory.h"
#include "pickle/judging.h"

/* ---- which bytes a value is ---- */

static bool has_bytes(sft_value_kind kind) {
    return kind == SFT_VALUE_BYTES || kind == SFT_VALUE_BYTEARRAY || kind == SFT_VALUE_OLD_STR;
}

bool sft_is_latin1(const sft_graph *graph, sft_ref encoding) {
    static const char *const names[] = {"latin1",     "latin-1",    "latin_1",   "Latin-1",
                                        "iso-8859-1", "ISO-8859-1", "iso8859-1", "ISO8859-1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (sft_graph_is_text(graph, encoding, names[i])) {
            return true;
        }
    }
    return false;
}

/* How deep bytes(bytearray(…)) is looked into. */
#define WRAPPED 4

bool sft_bytes_of(const sft_graph *graph, sft_ref ref, sft_ref *text, bool *latin1) {
    for (unsigned i = 0; i < WRAPPED && ref != SFT_NO_REF; i++) {
        *latin1 = false;
        *text = ref;
        if (has_bytes(sft_graph_kind(graph, ref))) {
            return true;
        }
        if (sft_graph_kind(graph, ref) != SFT_VALUE_OBJECT) {
            return false;
        }
        const sft_object *object = sft_graph_object(graph, ref);
        sft_role role = sft_policy_role(graph, object->callee, NULL);
        bool makes_bytes =
            role == SFT_ROLE_ENCODE || role == SFT_ROLE_BYTES || role == SFT_ROLE_BYTEARRAY;
        if (!makes_bytes || object->arguments == SFT_NO_REF ||
            sft_graph_kind(graph, object->arguments) != SFT_VALUE_TUPLE ||
            object->appended_count > 0 || object->state_count > 0) {
            return false;
        }
        ref = sft_graph_at(graph, object->arguments, 0);
        sft_ref encoding = sft_graph_at(graph, object->arguments, 1);
        if (encoding != SFT_NO_REF) {
            sft_value_kind kind = ref != SFT_NO_REF ? sft_graph_kind(graph, ref) : SFT_VALUE_NONE;
            *text = ref;
            *latin1 = kind == SFT_VALUE_STR;
            return sft_graph_value(graph, object->arguments)->count == 2 &&
                   (kind == SFT_VALUE_STR || kind == SFT_VALUE_OLD_STR) &&
                   sft_is_latin1(graph, encoding);
        }
        if (role == SFT_ROLE_ENCODE) {
            return false;
        }
    }
    return false;
}

bool sft_judging_is_bytes(const sft_judging *j, sft_ref ref) {
    sft_ref part;
    uint32_t count;
    bool latin1;
    if (ref == SFT_NO_REF || sft_bytes_of(j->graph, ref, &part, &latin1)) {
        return ref != SFT_NO_REF;
    }
    sft_role role = sft_judging_made_by(j, ref);
    return (role == SFT_ROLE_BYTES || role == SFT_ROLE_BYTEARRAY) &&
           sft_judging_arguments(j, ref, &part, &count) && count == 0;
}

bool sft_judging_grant_bytes(sft_judging *j, sft_ref ref) {
    sft_ref text;
    bool latin1;
    if (!sft_bytes_of(j->graph, ref, &text, &latin1)) {
        return true; /* bytes() */
    }
    uint64_t length = sft_graph_text(j->graph, text)->length;
    return sft_judging_grant(j, latin1 ? length / 2 : length);
}

/* ---- what calls get ---- */

static void hand(sft_judging *j, sft_ref text, uint64_t at, bool to_loader) {
    uint8_t mark = to_loader ? SFT_MARK_LOADED : SFT_MARK_HANDED;
    if ((j->marks[text] & mark) != 0 || j->judge->handed == NULL) {
        return;
    }
    j->marks[text] |= mark;
    sft_handed handed = {text, to_loader, at};
    j->stopped = !j->judge->handed(j->judge->context, &handed);
}

void sft_judge_loaded(sft_judging *j, sft_ref ref, uint64_t at) {
    sft_ref text;
    bool latin1;
    if (sft_bytes_of(j->graph, ref, &text, &latin1)) {
        hand(j, latin1 ? ref : text, at, true);
    }
}

typedef struct pending {
    sft_ref *refs;
    uint64_t count, capacity;
} pending;

/* Once for each value of the pickle: what was gone through before has been handed already. */
static bool push(sft_judging *j, pending *p, sft_ref ref) {
    if (ref == SFT_NO_REF || (j->marks[ref] & SFT_MARK_HANDED) != 0) {
        return true;
    }
    if (!sft_grow(&j->allocator, (void **)&p->refs, &p->capacity, p->count, sizeof *p->refs)) {
        return false;
    }
    p->refs[p->count++] = ref;
    return true;
}

static bool push_items(sft_judging *j, pending *p, sft_items items) {
    for (uint32_t link = items.first; link != 0;) {
        if (!push(j, p, sft_graph_item(j->graph, &link))) {
            return false;
        }
    }
    return true;
}

static bool push_parts(sft_judging *j, pending *p, sft_ref ref) {
    const sft_value *value = sft_graph_value(j->graph, ref);
    switch ((sft_value_kind)value->kind) {
    case SFT_VALUE_LIST:
    case SFT_VALUE_TUPLE:
    case SFT_VALUE_DICT:
    case SFT_VALUE_SET:
    case SFT_VALUE_FROZENSET:
    case SFT_VALUE_PERSISTENT:
        return push_items(j, p, value->items);
    case SFT_VALUE_OBJECT: {
        const sft_object *object = sft_graph_object(j->graph, ref);
        return push(j, p, object->arguments) && push(j, p, object->keywords) &&
               push_items(j, p, object->states) && push_items(j, p, object->appended) &&
               push_items(j, p, object->set);
    }
    default:
        return true;
    }
}

static bool visit(sft_judging *j, pending *p, sft_ref ref, uint64_t at) {
    if ((j->marks[ref] & SFT_MARK_HANDED) != 0) {
        return true;
    }
    sft_ref text;
    bool latin1;
    if (sft_graph_kind(j->graph, ref) == SFT_VALUE_STR ||
        sft_bytes_of(j->graph, ref, &text, &latin1)) {
        hand(j, ref, at, false);
        return true;
    }
    j->marks[ref] |= SFT_MARK_HANDED;
    return push_parts(j, p, ref);
}

bool sft_judge_handed(sft_judging *j, sft_ref object, uint64_t at) {
    if (j->judge->handed == NULL) {
        return true;
    }
    pending p = {NULL, 0, 0};
    const sft_object *call = sft_graph_object(j->graph, object);
    bool room = push(j, &p, call->arguments) && push(j, &p, call->keywords);
    /* loads(…) of what was made by parts: its callee's arguments are handed over too. */
    room = room && (sft_graph_kind(j->graph, call->callee) != SFT_VALUE_OBJECT ||
                    push(j, &p, call->callee));
    while (room && p.count > 0 && !j->stopped) {
        room = visit(j, &p, p.refs[--p.count], at);
    }
    sft_release(&j->allocator, p.refs, p.capacity * sizeof *p.refs);
    return room;
}
