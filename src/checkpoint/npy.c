#include "checkpoint/npy.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/literal.h"

/* Real headers have a hundred bytes; structured types of thousands of fields make the longest. */
#define LONGEST_HEADER (UINT64_C(1) << 20)

/* ---- descr ---- */

typedef struct bracket {
    char kind; /* '[' or '(' */
    uint64_t position;
} bracket;

/* Deeper than any structured type is in practice. */
#define DEEPEST 64

typedef struct description {
    bracket open[DEEPEST];
    size_t depth;
} description;

/*
 * Whether the next value names a field rather than its type: fields are (name, type) or
 * (name, type, shape) in a list, and a name may be (title, name).
 */
static bool is_field_name(const description *d) {
    size_t depth = d->depth;
    if (depth >= 3 && d->open[depth - 1].kind == '(' && d->open[depth - 2].kind == '(' &&
        d->open[depth - 3].kind == '[') {
        return d->open[depth - 2].position == 0;
    }
    return depth >= 2 && d->open[depth - 1].kind == '(' && d->open[depth - 1].position == 0 &&
           d->open[depth - 2].kind == '[';
}

static sft_status read_part(sft_literal *literal, const description *d, sft_numpy_dtype *dtype) {
    if (d->depth > 0 && sft_literal_at_string(literal)) {
        char text[256];
        size_t length;
        sft_status status = sft_literal_string(literal, text, sizeof text, &length);
        if (status == SFT_OK && !is_field_name(d)) {
            /* Of what is cut, nobody knows what it says; it may speak of objects. */
            sft_numpy_dtype part = {.object = true};
            if (length <= sizeof text) {
                status = sft_numpy_dtype_parse(text, length, &part, literal->error);
            }
            dtype->object = dtype->object || part.object;
        }
        return status;
    }
    if (d->depth > 0 && sft_literal_at_number(literal)) {
        uint64_t number;
        return sft_literal_unsigned(literal, &number);
    }
    return sft_literal_fail(literal, "the type of the elements is described by neither texts, "
                                     "numbers, lists nor tuples");
}

static sft_status open_bracket(sft_literal *literal, description *d, char kind) {
    if (d->depth == DEEPEST) {
        return sft_literal_fail(literal, "the type of the elements is nested too deep");
    }
    d->open[d->depth++] = (bracket){kind, 0};
    return SFT_OK;
}

/* Behind a value: commas and closing brackets, up to the next value or the end of the whole. */
static sft_status close_brackets(sft_literal *literal, description *d) {
    while (d->depth > 0) {
        bracket *top = &d->open[d->depth - 1];
        char closing = top->kind == '[' ? ']' : ')';
        bool comma = sft_literal_take(literal, ',');
        top->position += comma ? 1 : 0;
        if (sft_literal_take(literal, closing)) {
            d->depth--;
        } else if (comma) {
            return SFT_OK;
        } else {
            return sft_literal_fail(literal, "a bracket is not closed");
        }
    }
    return SFT_OK;
}

/* A structured type: well formed, and no type of ours. */
static sft_status read_structure(sft_literal *literal, sft_numpy_dtype *dtype) {
    description d = {.depth = 0};
    *dtype = (sft_numpy_dtype){.text = "a structured type"};
    sft_status status;
    do {
        if (sft_literal_take(literal, '[')) {
            status = open_bracket(literal, &d, '[');
        } else if (sft_literal_take(literal, '(')) {
            status = open_bracket(literal, &d, '(');
        } else {
            status = read_part(literal, &d, dtype);
            status = status == SFT_OK ? close_brackets(literal, &d) : status;
            continue;
        }
        if (status == SFT_OK &&
            sft_literal_take(literal, d.open[d.depth - 1].kind == '[' ? ']' : ')')) {
            d.depth--;
            status = close_brackets(literal, &d);
        }
    } while (status == SFT_OK && d.depth > 0);
    return status;
}

static sft_status read_descr(sft_literal *literal, sft_npy *npy) {
    if (!sft_literal_at_string(literal)) {
        return read_structure(literal, &npy->dtype);
    }
    char text[256];
    size_t length;
    sft_status status = sft_literal_string(literal, text, sizeof text, &length);
    if (status == SFT_OK && length > sizeof text) {
        status = sft_literal_fail(literal, "the name of the elements' type is too long");
    }
    return status == SFT_OK ? sft_numpy_dtype_parse(text, length, &npy->dtype, literal->error)
                            : status;
}

/* ---- shape, order, and the dict around them ---- */

static sft_status read_shape(sft_literal *literal, sft_npy *npy) {
    npy->rank = 0;
    if (!sft_literal_take(literal, '(')) {
        return sft_literal_fail(literal, "the shape is not a tuple");
    }
    while (!sft_literal_take(literal, ')')) {
        if (npy->rank == 64) {
            sft_fail(literal->error, SFT_SOURCE_LIMIT, SFT_NO_BYTE,
                     "an array of more than 64 dimensions");
            return SFT_SOURCE_LIMIT;
        }
        sft_status status = sft_literal_unsigned(literal, &npy->shape[npy->rank]);
        if (status != SFT_OK) {
            return status;
        }
        npy->rank++;
        bool comma = sft_literal_take(literal, ',');
        if (comma) {
            continue;
        }
        if (npy->rank == 1) {
            return sft_literal_fail(literal, "the shape is a number in brackets, not a tuple");
        }
        if (literal->at == literal->end || *literal->at != ')') {
            return sft_literal_fail(literal, "the shape is not closed");
        }
    }
    return SFT_OK;
}

static sft_status read_order(sft_literal *literal, sft_npy *npy) {
    npy->fortran = sft_literal_word(literal, "True");
    return npy->fortran || sft_literal_word(literal, "False")
               ? SFT_OK
               : sft_literal_fail(literal, "fortran_order is neither True nor False");
}

typedef struct field {
    const char *key;
    sft_status (*read)(sft_literal *literal, sft_npy *npy);
} field;

static const field fields[] = {
    {"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};

/* One key and its value. Where a key stands twice the later one counts, as in Python. */
static sft_status read_field(sft_literal *literal, sft_npy *npy, bool seen[3]) {
    char key[16];
    size_t length;
    sft_status status = sft_literal_string(literal, key, sizeof key, &length);
    if (status != SFT_OK) {
        return status;
    }
    if (!sft_literal_take(literal, ':')) {
        return sft_literal_fail(literal, "a key has no value");
    }
    for (size_t i = 0; i < 3; i++) {
        if (length == strlen(fields[i].key) && memcmp(key, fields[i].key, length) == 0) {
            seen[i] = true;
            return fields[i].read(literal, npy);
        }
    }
    return sft_literal_fail(literal, "a key other than descr, fortran_order and shape");
}

static sft_status read_dict(sft_literal *literal, sft_npy *npy) {
    bool seen[3] = {false, false, false};
    if (!sft_literal_take(literal, '{')) {
        return sft_literal_fail(literal, "the header is not a dict");
    }
    while (!sft_literal_take(literal, '}')) {
        sft_status status = read_field(literal, npy, seen);
        if (status != SFT_OK) {
            return status;
        }
        if (!sft_literal_take(literal, ',') &&
            (literal->at == literal->end || *literal->at != '}')) {
            return sft_literal_fail(literal, "the header's dict is not closed");
        }
    }
    sft_literal_space(literal);
    if (literal->at != literal->end) {
        return sft_literal_fail(literal, "something stands behind the header's dict");
    }
    return seen[0] && seen[1] && seen[2]
               ? SFT_OK
               : sft_literal_fail(literal, "descr, fortran_order or shape is missing");
}

/* ---- the file ---- */

static sft_status fail(sft_error *error, uint64_t byte, const char *message) {
    sft_fail(error, SFT_MALFORMED_SOURCE, byte, "%s", message);
    return SFT_MALFORMED_SOURCE;
}

/* The eight bytes in front, and the length of the header in two or four more. */
static sft_status read_length(const sft_region *region, uint64_t *begin, uint64_t *length,
                              sft_error *error) {
    unsigned char bytes[12] = {0};
    if (region->size < 10) {
        return fail(error, region->size, "too short for an array of NumPy's");
    }
    sft_status status = sft_region_read(region, 0, bytes, sft_min(region->size, 12), error);
    if (status != SFT_OK) {
        return status;
    }
    if (memcmp(bytes, "\x93NUMPY", 6) != 0) {
        return fail(error, 0, "it does not begin as an array of NumPy's");
    }
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0) {
        return fail(error, 6, "a version of NumPy's format other than 1.0, 2.0 and 3.0");
    }
    *begin = bytes[6] == 1 ? 10 : 12;
    *length = bytes[8] | (uint64_t)bytes[9] << 8;
    if (bytes[6] > 1) {
        *length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    }
    if (*begin > region->size || *length > region->size - *begin) {
        return fail(error, 8, "the header would end after the file");
    }
    if (*length > LONGEST_HEADER) {
        sft_fail(error, SFT_SOURCE_LIMIT, 8, "a header of more than 1 MiB");
        return SFT_SOURCE_LIMIT;
    }
    return SFT_OK;
}

static sft_status count_elements(sft_npy *npy, sft_error *error) {
    npy->elements = 1;
    for (uint32_t i = 0; i < npy->rank; i++) {
        if (npy->shape[i] == 0) {
            npy->elements = 0;
            return SFT_OK;
        }
    }
    for (uint32_t i = 0; i < npy->rank; i++) {
        if (!sft_multiply(npy->elements, npy->shape[i], &npy->elements)) {
            return fail(error, SFT_NO_BYTE, "the shape has more than 2^64 elements");
        }
    }
    return SFT_OK;
}

static sft_status check_size(const sft_region *region, const sft_npy *npy, sft_error *error) {
    uint64_t size;
    if (npy->dtype.object || (!npy->dtype.supported && npy->dtype.item_size == 0)) {
        return SFT_OK;
    }
    if (!sft_multiply(npy->elements, npy->dtype.item_size, &size) ||
        size != region->size - npy->data) {
        sft_fail(error, SFT_MALFORMED_SOURCE, npy->data,
                 "%llu bytes follow the header, not what %llu elements of type %s take",
                 (unsigned long long)(region->size - npy->data), (unsigned long long)npy->elements,
                 npy->dtype.text);
        return SFT_MALFORMED_SOURCE;
    }
    return SFT_OK;
}

sft_status sft_npy_read(const sft_region *region, const sft_allocator *allocator, sft_npy *npy,
                        sft_error *error) {
    *npy = (sft_npy){.rank = 0};
    uint64_t begin;
    uint64_t length;
    sft_status status = read_length(region, &begin, &length, error);
    if (status != SFT_OK) {
        return status;
    }
    char *text = sft_allocate(allocator, length);
    if (text == NULL) {
        return sft_fail_memory(error);
    }
    status = sft_region_read(region, begin, text, length, error);
    if (status == SFT_OK) {
        sft_literal literal = {text, text, text + length, begin, error};
        status = read_dict(&literal, npy);
    }
    sft_release(allocator, text, length);
    npy->data = begin + length;
    if (status == SFT_OK) {
        status = count_elements(npy, error);
    }
    return status == SFT_OK ? check_size(region, npy, error) : status;
}
