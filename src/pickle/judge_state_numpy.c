/* The states of NumPy's arrays and dtypes: NumPy believes what stands in them. */
#include <string.h>

#include "base/checked.h"
#include "pickle/judge_state.h"

static bool is_number(const sft_judging *j, sft_ref ref, int64_t number) {
    return sft_state_kind(j, ref) == SFT_VALUE_INT &&
           sft_graph_value(j->graph, ref)->integer == number;
}

static uint32_t tuple_count(const sft_judging *j, sft_ref ref) {
    return sft_state_kind(j, ref) == SFT_VALUE_TUPLE ? sft_graph_value(j->graph, ref)->count : 0;
}

static const sft_long_text *text_of(const sft_judging *j, sft_ref ref) {
    bool is_text =
        sft_state_kind(j, ref) == SFT_VALUE_STR || sft_state_kind(j, ref) == SFT_VALUE_OLD_STR;
    const sft_long_text *text = is_text ? sft_graph_text(j->graph, ref) : NULL;
    return text != NULL && text->text.bytes != NULL ? text : NULL;
}

static bool same_text(const sft_judging *j, sft_ref a, sft_ref b) {
    const sft_long_text *left = text_of(j, a);
    const sft_long_text *right = text_of(j, b);
    return left != NULL && right != NULL && left->length == right->length &&
           memcmp(left->text.bytes, right->text.bytes, (size_t)left->length) == 0;
}

/*
 * Whether a list or dictionary was whole when the state was set. Links are numbered as they come
 * about, so that what was added afterwards has a greater number than the state's own.
 */
static bool was_whole(const sft_judging *j, sft_ref object, sft_ref container) {
    uint32_t set = sft_graph_object(j->graph, object)->states.first;
    return sft_graph_value(j->graph, container)->items.last < set;
}

/* ---- the elements of a dtype ---- */

/* A dtype by what it is made of, "f4" or "<U12": a letter, and how many bytes. */
typedef struct element {
    char letter; /* 0: a class of ml_dtypes */
    uint64_t size;
} element;

static bool read_element(const char *text, uint64_t length, element *e) {
    if (length > 0 && strchr("<>|=", text[0]) != NULL) {
        text++;
        length--;
    }
    if (length == 0 || length > 10) {
        return false;
    }
    *e = (element){text[0], 0};
    for (uint64_t i = 1; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        e->size = e->size * 10 + (uint64_t)(text[i] - '0');
    }
    e->size *= e->letter == 'U' ? 4 : 1;
    return true;
}

static bool element_of(const sft_judging *j, sft_ref dtype, element *e) {
    sft_ref arguments;
    uint32_t count;
    if (!sft_judging_arguments(j, dtype, &arguments, &count) || count == 0) {
        return false;
    }
    sft_ref what = sft_state_at(j, arguments, 0);
    const sft_policy_entry *entry;
    if (sft_state_kind(j, what) == SFT_VALUE_GLOBAL) {
        /* Of the classes of ml_dtypes one has two bytes. */
        bool known = sft_policy_role(j->graph, what, &entry) == SFT_ROLE_NUMPY_DTYPE_CLASS;
        *e = (element){'\0', known && entry->dtype == SFT_BF16 ? 2 : 1};
        return known;
    }
    const sft_long_text *text = text_of(j, what);
    return text != NULL && read_element(text->text.bytes, text->length, e);
}

/* ---- arrays ---- */

/* (version, shape, dtype, fortran, elements) */
const char *sft_judge_array(sft_judging *j, sft_ref object, sft_ref state) {
    static const char odd[] = "an array's state is not as NumPy writes it";
    uint32_t count = tuple_count(j, state);
    uint32_t first = count == 5 ? 1 : 0;
    uint64_t elements;
    if ((count != 4 && count != 5) || sft_graph_object(j->graph, object)->state_count != 1 ||
        sft_state_kind(j, sft_state_at(j, state, first)) != SFT_VALUE_TUPLE ||
        !sft_judging_elements(j, sft_state_at(j, state, first), &elements) ||
        sft_judging_made_by(j, sft_state_at(j, state, first + 1)) != SFT_ROLE_NUMPY_DTYPE) {
        return odd;
    }
    sft_ref content = sft_state_at(j, state, first + 3);
    if (sft_state_kind(j, content) == SFT_VALUE_LIST) {
        /* NumPy takes as many as the shape says, without looking for the list's end. */
        return sft_graph_value(j->graph, content)->count == elements &&
                       was_whole(j, object, content)
                   ? NULL
                   : "the array has not as many objects as its shape says";
    }
    if (!sft_judging_is_bytes(j, content)) {
        return "an array's elements are computed while loading";
    }
    /* Bytes of another order are copied: of the same ones there may be many arrays. */
    return sft_judging_grant_bytes(j, content)
               ? NULL
               : "arrays take more memory than the whole file can justify";
}

/* ---- dtypes ---- */

/* As NumPy has them: 63 are those of objects, of which structures may have the middle two. */
#define OBJECT_FLAGS UINT64_C(63)
#define INIT_FLAGS UINT64_C(0x18)
#define GETITEM_FLAGS UINT64_C(64) /* of ml_dtypes */

/* (dtype, offset): inside of the item, and no object. */
static bool is_field(const sft_judging *j, sft_ref field, uint64_t item_size) {
    uint64_t offset;
    uint64_t end;
    element e;
    return tuple_count(j, field) == 2 &&
           sft_graph_size(j->graph, sft_state_at(j, field, 1), &offset) &&
           sft_judging_made_by(j, sft_state_at(j, field, 0)) == SFT_ROLE_NUMPY_DTYPE &&
           element_of(j, sft_state_at(j, field, 0), &e) && e.letter != '\0' &&
           strchr("?biufcSUmM", e.letter) != NULL && sft_add(offset, e.size, &end) &&
           end <= item_size;
}

/* How many fields are looked at: the name of each is held against all before it. */
#define FIELDS 256

static bool is_new(const sft_judging *j, sft_ref names, uint32_t link, sft_ref name) {
    uint32_t before = sft_graph_value(j->graph, names)->items.first;
    while (before != link) {
        if (same_text(j, sft_graph_item(j->graph, &before), name)) {
            return false;
        }
    }
    return true;
}

/* ('a', 'b') and {'a': field, 'b': field}, in the same order, each name once. */
static const char *check_fields(sft_judging *j, sft_ref names, sft_ref fields, uint64_t item_size) {
    static const char odd[] = "the fields of a dtype are not as NumPy writes them";
    uint32_t count = tuple_count(j, names);
    if (sft_state_kind(j, fields) != SFT_VALUE_DICT || count == 0 || count > FIELDS ||
        sft_graph_value(j->graph, fields)->count != 2 * count) {
        return odd;
    }
    bool distinct = (j->marks[names] & SFT_MARK_DISTINCT) != 0;
    uint32_t name_link = sft_graph_value(j->graph, names)->items.first;
    uint32_t link = sft_graph_value(j->graph, fields)->items.first;
    while (name_link != 0) {
        uint32_t here = name_link;
        sft_ref name = sft_graph_item(j->graph, &name_link);
        sft_ref key = sft_graph_item(j->graph, &link);
        sft_ref field = sft_graph_item(j->graph, &link);
        if (!same_text(j, name, key) || (!distinct && !is_new(j, names, here, name))) {
            return odd;
        }
        if (!is_field(j, field, item_size)) {
            return "a field of a dtype lies outside of its item, or is no plain number or text";
        }
    }
    j->marks[names] |= SFT_MARK_DISTINCT;
    return NULL;
}

/* Size and alignment: texts, raw bytes and structures say theirs again, for all others it is -1. */
static bool is_item_size(const sft_judging *j, const element *e, sft_ref size, sft_ref alignment) {
    uint64_t bytes;
    uint64_t step;
    if (e->letter != '\0' && strchr("SUVa", e->letter) == NULL) {
        return is_number(j, size, -1) && is_number(j, alignment, -1);
    }
    return sft_graph_size(j->graph, size, &bytes) && bytes == e->size &&
           sft_graph_size(j->graph, alignment, &step) && step > 0 && step <= 16 &&
           (step & (step - 1)) == 0;
}

/* (None or {}, (unit, number, of, event)): numbers that NumPy divides by. */
static bool is_time_metadata(const sft_judging *j, sft_ref metadata) {
    sft_ref unit = sft_state_at(j, metadata, 1);
    if (tuple_count(j, metadata) != 2 || tuple_count(j, unit) != 4) {
        return false;
    }
    for (uint32_t i = 1; i < 4; i++) {
        uint64_t number;
        if (!sft_graph_size(j->graph, sft_state_at(j, unit, i), &number) || number == 0 ||
            number > INT32_MAX) {
            return false;
        }
    }
    return sft_judging_is_bytes(j, sft_state_at(j, unit, 0)) ||
           text_of(j, sft_state_at(j, unit, 0)) != NULL;
}

/* Version 4 has metadata behind the rest, which only times have. */
static bool is_version(const sft_judging *j, const element *e, sft_ref state) {
    if (tuple_count(j, state) == 8) {
        return is_number(j, sft_state_at(j, state, 0), 3);
    }
    bool is_time = e->letter == 'M' || e->letter == 'm';
    return tuple_count(j, state) == 9 && is_number(j, sft_state_at(j, state, 0), 4) && is_time &&
           is_time_metadata(j, sft_state_at(j, state, 8));
}

static bool is_byte_order(const sft_judging *j, sft_ref ref) {
    const sft_long_text *text = text_of(j, ref);
    return text != NULL && text->length == 1 && strchr("<>|=", text->text.bytes[0]) != NULL &&
           text->text.bytes[0] != '\0';
}

/*
 * The flags say whether elements are pointers to objects: were they off for such a dtype, the bytes
 * of the file would be taken for pointers.
 */
static bool has_flags(const element *e, uint64_t flags) {
    if (e->letter == 'O') {
        return flags == OBJECT_FLAGS;
    }
    return e->letter == '\0' ? flags == GETITEM_FLAGS : (flags & OBJECT_FLAGS & ~INIT_FLAGS) == 0;
}

/* (version, order, subtype, names, fields, size, alignment, flags[, metadata]) */
const char *sft_judge_dtype(sft_judging *j, sft_ref dtype, sft_ref state) {
    static const char odd[] = "a dtype's state is not as NumPy writes it";
    element e;
    uint64_t flags;
    if (!element_of(j, dtype, &e) || !is_version(j, &e, state) ||
        sft_graph_object(j->graph, dtype)->state_count != 1 ||
        !is_byte_order(j, sft_state_at(j, state, 1)) ||
        !sft_state_is_none(j, sft_state_at(j, state, 2)) ||
        !is_item_size(j, &e, sft_state_at(j, state, 5), sft_state_at(j, state, 6)) ||
        !sft_graph_size(j->graph, sft_state_at(j, state, 7), &flags)) {
        return odd;
    }
    if (!has_flags(&e, flags)) {
        return "a dtype lies about whether its elements are pointers";
    }
    sft_ref fields = sft_state_at(j, state, 4);
    if (sft_state_is_none(j, fields)) {
        return sft_state_is_none(j, sft_state_at(j, state, 3)) ? NULL : odd;
    }
    if (e.letter != 'V' || sft_state_kind(j, fields) != SFT_VALUE_DICT ||
        !was_whole(j, dtype, fields)) {
        return odd;
    }
    if ((j->marks[state] & SFT_MARK_PLAIN) != 0) {
        return NULL;
    }
    const char *fault = check_fields(j, sft_state_at(j, state, 3), fields, e.size);
    j->marks[state] |= fault == NULL ? SFT_MARK_PLAIN : 0;
    return fault;
}
