#include "checkpoint/kinds.h"

#include "base/escape.h"
#include "checkpoint/values.h"

static void write(char kind[SFT_KIND_SIZE], const char *text) {
    sft_line line = sft_line_begin(kind, SFT_KIND_SIZE);
    sft_line_add(&line, text);
}

/* A name from the file: "module.name". */
static void write_pair(const sft_graph *graph, sft_ref ref, char kind[SFT_KIND_SIZE]) {
    sft_pair pair;
    if (ref == SFT_NO_REF || !sft_graph_pair(graph, ref, &pair)) {
        write(kind, "object");
        return;
    }
    sft_line line = sft_line_begin(kind, SFT_KIND_SIZE);
    sft_line_escape(&line, pair.module, pair.module_length, NULL, false);
    sft_line_add(&line, ".");
    sft_line_escape(&line, pair.name, pair.name_length, NULL, false);
}

/* What a call gives where that is another type than what is called; NULL where it is the same. */
static const char *result_of(sft_role role) {
    switch (role) {
    case SFT_ROLE_ENCODE:
        return "bytes";
    case SFT_ROLE_NUMPY_SCALAR:
        return "numpy.generic";
    case SFT_ROLE_NUMPY_RECONSTRUCT:
    case SFT_ROLE_NUMPY_FROM_BUFFER:
    case SFT_ROLE_JOBLIB_ARRAY:
        return "numpy.ndarray";
    case SFT_ROLE_TORCH_LOAD_FROM_BYTES:
        return "torch.storage";
    default:
        return NULL;
    }
}

static void write_object(const sft_graph *graph, sft_ref ref, char kind[SFT_KIND_SIZE]) {
    const sft_policy_entry *entry = NULL;
    sft_role role = sft_value_role(graph, ref, &entry);
    const char *result = result_of(role);
    bool plain = role == SFT_ROLE_BYTES || role == SFT_ROLE_BYTEARRAY || role == SFT_ROLE_DICT ||
                 role == SFT_ROLE_LIST || role == SFT_ROLE_SET || role == SFT_ROLE_SCALAR;
    if (result != NULL) {
        write(kind, result);
    } else if (plain && entry != NULL) {
        /* Built-in types are known without their module. */
        write(kind, entry->name);
    } else if (role == SFT_ROLE_RECONSTRUCTOR) {
        write_pair(graph, sft_value_argument(graph, ref, 0), kind);
    } else {
        write_pair(graph, sft_graph_object(graph, ref)->callee, kind);
    }
}

static void write_global(const sft_graph *graph, sft_ref ref, char kind[SFT_KIND_SIZE]) {
    if (sft_policy_role(graph, ref, NULL) == SFT_ROLE_TORCH_DTYPE) {
        write(kind, "torch.dtype");
    } else {
        write_pair(graph, ref, kind);
    }
}

void sft_kind_of(const sft_graph *graph, sft_ref ref, char kind[SFT_KIND_SIZE]) {
    static const char *const names[] = {[SFT_VALUE_NONE] = "NoneType",
                                        [SFT_VALUE_BOOL] = "bool",
                                        [SFT_VALUE_INT] = "int",
                                        [SFT_VALUE_BIG_INT] = "int",
                                        [SFT_VALUE_FLOAT] = "float",
                                        [SFT_VALUE_STR] = "str",
                                        [SFT_VALUE_OLD_STR] = "str",
                                        [SFT_VALUE_BYTES] = "bytes",
                                        [SFT_VALUE_BYTEARRAY] = "bytearray",
                                        [SFT_VALUE_LIST] = "list",
                                        [SFT_VALUE_TUPLE] = "tuple",
                                        [SFT_VALUE_DICT] = "dict",
                                        [SFT_VALUE_SET] = "set",
                                        [SFT_VALUE_FROZENSET] = "frozenset",
                                        [SFT_VALUE_PERSISTENT] = "torch.storage",
                                        [SFT_VALUE_EXTENSION] = "object",
                                        [SFT_VALUE_BUFFER] = "memoryview"};
    switch (sft_graph_kind(graph, ref)) {
    case SFT_VALUE_OBJECT:
        write_object(graph, ref, kind);
        break;
    case SFT_VALUE_GLOBAL:
        write_global(graph, ref, kind);
        break;
    default:
        write(kind, names[graph->values[ref].kind]);
    }
}
