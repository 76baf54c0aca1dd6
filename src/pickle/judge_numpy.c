/* Calls by which arrays, dtypes and numbers of NumPy are made. */
#include <string.h>

#include "pickle/judge_call.h"

static bool is_dtype(const sft_call *c, sft_ref ref) {
    sft_role role = sft_judging_made_by(c->j, ref);
    return role == SFT_ROLE_NUMPY_DTYPE || role == SFT_ROLE_NUMPY_DTYPE_CLASS;
}

/* b'b', as every NumPy has written it; other texts would be parsed as a dtype. */
static bool is_b(const sft_call *c, sft_ref ref) {
    sft_ref text = ref;
    bool latin1;
    if (!sft_arg_is(c, ref, SFT_VALUE_STR) && !sft_bytes_of(c->j->graph, ref, &text, &latin1)) {
        return false;
    }
    const sft_long_text *bytes = sft_graph_text(c->j->graph, text);
    return bytes->length == 1 && bytes->text.bytes != NULL && bytes->text.bytes[0] == 'b';
}

/* (ndarray, shape, b'b'): an array of bytes, most often without elements. */
static const char *check_reconstruct(const sft_call *c) {
    uint64_t elements;
    if (c->count != 3) {
        return sft_odd;
    }
    if (sft_arg_role(c, sft_arg(c, 0)) != SFT_ROLE_NUMPY_ARRAY) {
        return "the class of the array is not numpy.ndarray";
    }
    if (!is_b(c, sft_arg(c, 2))) {
        return sft_odd;
    }
    return sft_judging_elements(c->j, sft_arg(c, 1), &elements)
               ? sft_arg_grant_elements(c, elements, 1)
               : sft_computed;
}

/*
 * A letter and then letters and digits, maybe behind a byte order: nothing that NumPy parses into
 * more, as it does "3f4" and "f4,f4".
 */
static bool is_dtype_text(const sft_call *c, sft_ref ref) {
    const sft_long_text *text = sft_arg_is_text(c, ref) ? sft_graph_text(c->j->graph, ref) : NULL;
    if (text == NULL || text->text.bytes == NULL || text->length == 0 || text->length > 32) {
        return false;
    }
    bool ordered = memchr("<>|=", text->text.bytes[0], 4) != NULL;
    for (uint64_t i = ordered ? 1 : 0; i < text->length; i++) {
        char letter = text->text.bytes[i];
        bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                     letter == '_' || letter == '?';
        bool digit = letter >= '0' && letter <= '9' && i > (ordered ? 1U : 0U);
        if (!plain && !digit) {
            return false;
        }
    }
    return true;
}

static const char *check_dtype(const sft_call *c) {
    sft_ref what = sft_arg(c, 0);
    if (c->count == 0 || c->count > 3 ||
        (!is_dtype_text(c, what) && sft_arg_role(c, what) != SFT_ROLE_NUMPY_DTYPE_CLASS)) {
        return sft_odd;
    }
    for (uint32_t i = 1; i < c->count; i++) {
        if (!sft_arg_is_number(c, sft_arg(c, i))) {
            return sft_odd;
        }
    }
    return NULL;
}

static const char *check_dtype_class(const sft_call *c) {
    return c->count == 0 || (c->count == 1 && sft_arg_is_number(c, sft_arg(c, 0))) ? NULL : sft_odd;
}

static const char *check_numpy_scalar(const sft_call *c) {
    if (c->count != 2 || !is_dtype(c, sft_arg(c, 0)) ||
        !sft_judging_is_bytes(c->j, sft_arg(c, 1))) {
        return sft_odd;
    }
    /* It is a copy: of the same bytes there may be many. */
    return sft_judging_grant_bytes(c->j, sft_arg(c, 1)) ? NULL : sft_too_much;
}

/* (bytes, dtype, shape, order): a view. */
static const char *check_from_buffer(const sft_call *c) {
    bool over_bytes =
        sft_judging_is_bytes(c->j, sft_arg(c, 0)) || sft_arg_is(c, sft_arg(c, 0), SFT_VALUE_BUFFER);
    return c->count == 4 && over_bytes && is_dtype(c, sft_arg(c, 1)) &&
                   sft_arg_is_text(c, sft_arg(c, 3))
               ? NULL
               : sft_odd;
}

const char *sft_check_numpy(const sft_call *c) {
    switch (c->known->role) {
    case SFT_ROLE_NUMPY_RECONSTRUCT:
        return check_reconstruct(c);
    case SFT_ROLE_NUMPY_SCALAR:
        return check_numpy_scalar(c);
    case SFT_ROLE_NUMPY_DTYPE:
        return check_dtype(c);
    case SFT_ROLE_NUMPY_DTYPE_CLASS:
        return check_dtype_class(c);
    case SFT_ROLE_NUMPY_FROM_BUFFER:
        return check_from_buffer(c);
    default:
        return c->count == 0 ? NULL : sft_odd;
    }
}
