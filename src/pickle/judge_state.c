/* The states that BUILD gives: which of them do nothing but fill an instance. */
#include <string.h>

#include "base/checked.h"
#include "pickle/judging.h"

static sft_value_kind kind_of(const sft_judging *j, sft_ref ref) {
    return ref == SFT_NO_REF ? SFT_VALUE_NONE : sft_graph_kind(j->graph, ref);
}

static sft_ref at(const sft_judging *j, sft_ref tuple, uint32_t index) {
    return sft_graph_at(j->graph, tuple, index);
}

static bool is_none(const sft_judging *j, sft_ref ref) {
    return ref != SFT_NO_REF && kind_of(j, ref) == SFT_VALUE_NONE;
}

/* ---- attributes ---- */

/*
 * An attribute with such a name can take the place of a method that a later opcode calls: an
 * instance whose __setstate__ is a loader hands it the next state. APPENDS looks for extend and
 * append, ADDITEMS for add.
 */
static bool is_machinery(const char *name, uint64_t length) {
    static const char *const methods[] = {"append", "extend", "add"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (length == strlen(methods[i]) && memcmp(name, methods[i], (size_t)length) == 0) {
            return true;
        }
    }
    return length >= 2 && name[0] == '_' && name[1] == '_';
}

static const char *check_name(const sft_judging *j, sft_ref key) {
    sft_value_kind kind = kind_of(j, key);
    if (kind != SFT_VALUE_STR && kind != SFT_VALUE_OLD_STR) {
        return kind == SFT_VALUE_OBJECT ? "the name of an attribute is computed while loading"
                                        : "an attribute has something else for a name than a text";
    }
    const sft_long_text *name = sft_graph_text(j->graph, key);
    if (name->text.bytes == NULL) {
        return "the name of an attribute is longer than anyone can read";
    }
    return is_machinery(name->text.bytes, name->length)
               ? "an attribute has the name of a method that loading itself calls"
               : NULL;
}

static const char *check_names(sft_judging *j, sft_ref dict) {
    if (is_none(j, dict)) {
        return NULL;
    }
    if (kind_of(j, dict) != SFT_VALUE_DICT) {
        return "its attributes do not come as a plain dictionary";
    }
    const char *fault = NULL;
    uint32_t link = sft_graph_value(j->graph, dict)->items.first;
    while (link != 0 && fault == NULL) {
        fault = check_name(j, sft_graph_item(j->graph, &link));
        if (link != 0) {
            sft_graph_item(j->graph, &link);
        }
    }
    return fault;
}

const char *sft_judge_attributes(sft_judging *j, sft_ref state) {
    if (state == SFT_NO_REF || (j->marks[state] & SFT_MARK_PLAIN) != 0) {
        return NULL;
    }
    if ((j->marks[state] & SFT_MARK_ODD) != 0) {
        return "its state is one that was found odd before";
    }
    const char *fault;
    /* The second of a pair would be set one by one, through methods of the class. */
    bool pair =
        kind_of(j, state) == SFT_VALUE_TUPLE && sft_graph_value(j->graph, state)->count == 2;
    if (pair && !is_none(j, at(j, state, 1))) {
        fault = "some of its attributes are set through methods of its class";
    } else {
        fault = check_names(j, pair ? at(j, state, 0) : state);
    }
    j->marks[state] |= fault == NULL ? SFT_MARK_PLAIN : SFT_MARK_ODD;
    return fault;
}

/* ---- NumPy ---- */

/* A dtype by the text that it is made of, "f4" or "<U12": a letter, and how many bytes. */
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
    sft_ref what = at(j, arguments, 0);
    if (kind_of(j, what) == SFT_VALUE_GLOBAL) {
        *e = (element){'\0', 0};
        return true;
    }
    bool is_text = kind_of(j, what) == SFT_VALUE_STR || kind_of(j, what) == SFT_VALUE_OLD_STR;
    const sft_long_text *text = is_text ? sft_graph_text(j->graph, what) : NULL;
    return text != NULL && text->text.bytes != NULL &&
           read_element(text->text.bytes, text->length, e);
}

bool sft_judging_elements(const sft_judging *j, sft_ref sizes, uint64_t *elements) {
    sft_ref arguments;
    uint32_t count;
    if (sft_judging_made_by(j, sizes) == SFT_ROLE_TORCH_SIZE &&
        sft_judging_arguments(j, sizes, &arguments, &count) && count == 1) {
        sizes = at(j, arguments, 0);
    }
    sft_value_kind kind = kind_of(j, sizes);
    *elements = 1;
    if ((kind != SFT_VALUE_TUPLE && kind != SFT_VALUE_LIST) ||
        sft_graph_value(j->graph, sizes)->count > 64) {
        return false;
    }
    bool zero = false;
    for (uint32_t link = sft_graph_value(j->graph, sizes)->items.first; link != 0;) {
        uint64_t size;
        if (!sft_graph_size(j->graph, sft_graph_item(j->graph, &link), &size)) {
            return false;
        }
        zero = zero || size == 0;
        if (!sft_multiply(*elements, size == 0 ? 1 : size, elements)) {
            return false;
        }
    }
    *elements = zero ? 0 : *elements;
    return true;
}

/*
 * (version, shape, dtype, fortran, elements). A list of objects has as many as the shape says:
 * NumPy takes them without looking for the list's end.
 */
static const char *check_array(sft_judging *j, sft_ref state) {
    if (kind_of(j, state) != SFT_VALUE_TUPLE) {
        return "an array's state is not as NumPy writes it";
    }
    uint32_t count = sft_graph_value(j->graph, state)->count;
    uint32_t first = count == 5 ? 1 : 0;
    uint64_t elements;
    if (count - first != 4 || !sft_judging_elements(j, at(j, state, first), &elements) ||
        sft_judging_made_by(j, at(j, state, first + 1)) != SFT_ROLE_NUMPY_DTYPE) {
        return "an array's state is not as NumPy writes it";
    }
    sft_ref content = at(j, state, first + 3);
    if (kind_of(j, content) == SFT_VALUE_LIST) {
        return sft_graph_value(j->graph, content)->count == elements
                   ? NULL
                   : "the array has not as many objects as its shape says";
    }
    return sft_judging_is_bytes(j, content) ? NULL
                                            : "an array's elements are computed while loading";
}

/* As NumPy has them: 63 are those of objects, of which structures may have the middle two. */
#define OBJECT_FLAGS UINT64_C(63)
#define INIT_FLAGS UINT64_C(0x18)

/* The fields of a structure: {name: (dtype, offset[, title])}, each inside of the item. */
static const char *check_fields(const sft_judging *j, sft_ref fields, uint64_t item_size) {
    static const char odd[] = "the fields of a dtype are not as NumPy writes them";
    if (kind_of(j, fields) != SFT_VALUE_DICT || sft_graph_value(j->graph, fields)->count > 2000) {
        return odd;
    }
    for (uint32_t link = sft_graph_value(j->graph, fields)->items.first; link != 0;) {
        sft_graph_item(j->graph, &link);
        sft_ref field = link != 0 ? sft_graph_item(j->graph, &link) : SFT_NO_REF;
        uint64_t offset;
        uint64_t end;
        element e;
        if (kind_of(j, field) != SFT_VALUE_TUPLE || sft_graph_value(j->graph, field)->count < 2 ||
            !sft_graph_size(j->graph, at(j, field, 1), &offset) ||
            sft_judging_made_by(j, at(j, field, 0)) != SFT_ROLE_NUMPY_DTYPE) {
            return odd;
        }
        if (!element_of(j, at(j, field, 0), &e) || e.letter == 'O' || e.letter == 'V' ||
            e.letter == '\0' || !sft_add(offset, e.size, &end) || end > item_size) {
            return "a field of a dtype lies outside of its item, or holds objects";
        }
    }
    return NULL;
}

/* Texts and raw bytes say their size again; for all others it is -1. */
static bool is_item_size(const sft_judging *j, const element *e, sft_ref size) {
    uint64_t bytes;
    if (e->letter == '\0') {
        return sft_graph_size(j->graph, size, &bytes) && bytes <= 16;
    }
    if (strchr("SUVa", e->letter) != NULL) {
        return sft_graph_size(j->graph, size, &bytes) && bytes == e->size;
    }
    return kind_of(j, size) == SFT_VALUE_INT && sft_graph_value(j->graph, size)->integer == -1;
}

/*
 * (version, order, subtype, names, fields, size, alignment, flags[, metadata]). The flags say
 * whether elements are pointers to objects: were they off for such a dtype, the bytes of the file
 * would be taken for pointers.
 */
static const char *check_dtype(sft_judging *j, sft_ref dtype, sft_ref state) {
    static const char odd[] = "a dtype's state is not as NumPy writes it";
    uint32_t count =
        kind_of(j, state) == SFT_VALUE_TUPLE ? sft_graph_value(j->graph, state)->count : 0;
    element e;
    uint64_t flags;
    if ((count != 8 && count != 9) || !element_of(j, dtype, &e) ||
        !sft_graph_size(j->graph, at(j, state, 7), &flags) || !is_none(j, at(j, state, 2)) ||
        !is_item_size(j, &e, at(j, state, 5))) {
        return odd;
    }
    if (e.letter == 'O' ? flags != OBJECT_FLAGS : (flags & OBJECT_FLAGS & ~INIT_FLAGS) != 0) {
        return "a dtype lies about whether its elements are pointers";
    }
    if (is_none(j, at(j, state, 4))) {
        return is_none(j, at(j, state, 3)) ? NULL : odd;
    }
    return e.letter == 'V' ? check_fields(j, at(j, state, 4), e.size) : odd;
}

/* ---- PyTorch ---- */

/*
 * (requires_grad, _, hooks), (storage, offset, size, stride), or of old Variables
 * (data, _, hooks, requires_grad, _).
 */
static const char *check_tensor(const sft_judging *j, sft_ref state) {
    uint32_t count =
        kind_of(j, state) == SFT_VALUE_TUPLE ? sft_graph_value(j->graph, state)->count : 0;
    switch (count) {
    case 3:
    case 5:
        if (count == 5 && !sft_judging_is_tensor(j, at(j, state, 0))) {
            return "a tensor's data is no tensor";
        }
        return sft_judging_no_hooks(j, at(j, state, 2))
                   ? NULL
                   : "a tensor brings functions along that training would call";
    case 4:
        return sft_judging_is_storage(j, at(j, state, 0)) ? NULL : "a tensor's storage is none";
    default:
        return "a tensor's state is not as PyTorch writes it";
    }
}

const char *sft_judge_state(sft_judging *j, const sft_known *known, sft_ref object, sft_ref state) {
    switch (known->role) {
    case SFT_ROLE_NUMPY_RECONSTRUCT:
        return check_array(j, state);
    case SFT_ROLE_NUMPY_DTYPE:
        return check_dtype(j, object, state);
    case SFT_ROLE_TORCH_TENSOR_CLASS:
    case SFT_ROLE_TORCH_PARAMETER_CLASS:
        return check_tensor(j, state);
    default:
        return sft_judge_attributes(j, state);
    }
}
