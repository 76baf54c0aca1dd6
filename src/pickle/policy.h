/*
 * What a pickle may name. The table, in policy_table.c, reads like documentation: module, name,
 * what it is to us, why. Records that are dropped are in policy_records.c, modules that no
 * checkpoint has business with in policy_dangers.c.
 */
#ifndef SFT_SRC_PICKLE_POLICY_H
#define SFT_SRC_PICKLE_POLICY_H

#include <sft/base.h>

#include "pickle/graph.h"

typedef enum sft_policy_class {
    SFT_POLICY_UNKNOWN,  /* in no list: nobody can vouch for it */
    SFT_POLICY_ALLOWED,  /* known to be harmless, and understood */
    SFT_POLICY_INERT,    /* a record without effect: dropped with a notice when converting */
    SFT_POLICY_DANGEROUS /* runs code, imports, opens, fetches, or loads another pickle */
} sft_policy_class;

/* What an allowed or inert name stands for, for those who turn values into tensors. */
typedef enum sft_role {
    SFT_ROLE_NONE,
    SFT_ROLE_TORCH_TENSOR,          /* torch._utils._rebuild_tensor */
    SFT_ROLE_TORCH_TENSOR_V2,       /* _rebuild_tensor_v2 */
    SFT_ROLE_TORCH_TENSOR_V3,       /* _rebuild_tensor_v3 */
    SFT_ROLE_TORCH_PARAMETER,       /* _rebuild_parameter */
    SFT_ROLE_TORCH_PARAMETER_STATE, /* _rebuild_parameter_with_state */
    SFT_ROLE_TORCH_FROM_TYPE_V2,    /* torch._tensor._rebuild_from_type_v2 */
    SFT_ROLE_TORCH_FROM_NUMPY,      /* _rebuild_device_tensor_from_numpy */
    SFT_ROLE_TORCH_FROM_CPU,        /* _rebuild_device_tensor_from_cpu_tensor */
    SFT_ROLE_TORCH_META,            /* _rebuild_meta_tensor_no_storage */
    SFT_ROLE_TORCH_UNSUPPORTED,     /* sparse, quantised…: clean, but no tensor of ours */
    SFT_ROLE_TORCH_PARAMETER_CLASS, /* torch.nn.parameter.Parameter */
    SFT_ROLE_TORCH_TENSOR_CLASS,    /* torch.Tensor, torch.FloatTensor… */
    SFT_ROLE_TORCH_STORAGE_CLASS,   /* torch.FloatStorage…: `dtype` says of what */
    SFT_ROLE_TORCH_UNTYPED_STORAGE, /* torch.storage.UntypedStorage */
    SFT_ROLE_TORCH_TYPED_STORAGE,   /* torch.storage.TypedStorage */
    SFT_ROLE_TORCH_LOAD_FROM_BYTES, /* torch.storage._load_from_bytes */
    SFT_ROLE_TORCH_DTYPE,           /* torch.float32…: `dtype` */
    SFT_ROLE_TORCH_SIZE,            /* torch.Size */
    SFT_ROLE_TORCH_DEVICE,          /* torch.device */
    SFT_ROLE_ORDERED_DICT,          /* collections.OrderedDict; a mapping */
    SFT_ROLE_DEFAULT_DICT,          /* a mapping; its factory is the first argument */
    SFT_ROLE_COUNTER,               /* a mapping */
    SFT_ROLE_ENCODE,                /* _codecs.encode */
    SFT_ROLE_BYTES,                 /* builtins.bytes */
    SFT_ROLE_BYTEARRAY,             /* builtins.bytearray */
    SFT_ROLE_DICT,                  /* builtins.dict */
    SFT_ROLE_LIST,                  /* builtins.list */
    SFT_ROLE_SET,                   /* builtins.set, frozenset */
    SFT_ROLE_SCALAR,                /* complex, slice, range, int, float, bool, str */
    SFT_ROLE_RECONSTRUCTOR,         /* copyreg._reconstructor */
    SFT_ROLE_OBJECT,                /* builtins.object */
    SFT_ROLE_NUMPY_RECONSTRUCT,     /* numpy.*.multiarray._reconstruct */
    SFT_ROLE_NUMPY_SCALAR,          /* numpy.*.multiarray.scalar */
    SFT_ROLE_NUMPY_ARRAY,           /* numpy.ndarray */
    SFT_ROLE_NUMPY_DTYPE,           /* numpy.dtype */
    SFT_ROLE_NUMPY_DTYPE_CLASS,     /* numpy.dtypes.Float32DType…: `dtype` */
    SFT_ROLE_NUMPY_FROM_BUFFER,     /* numpy.*.numeric._frombuffer */
    SFT_ROLE_JOBLIB_ARRAY           /* joblib.numpy_pickle.NumpyArrayWrapper */
} sft_role;

/* What else may be done to an instance. */
enum {
    SFT_POLICY_MAPPING = 1,   /* SETITEM */
    SFT_POLICY_SEQUENCE = 2,  /* APPEND */
    SFT_POLICY_GROUP = 4,     /* ADDITEMS */
    SFT_POLICY_STATE = 8,     /* BUILD */
    SFT_POLICY_CALLABLE = 16, /* it may be called, which runs its __init__, not only referenced */
    SFT_POLICY_NEW =
        32 /* an empty instance may be made, without __init__: NEWOBJ, _reconstructor */
};

/* No dtype of ours: complex128, qint8… */
#define SFT_NO_DTYPE 255

typedef struct sft_policy_entry {
    const char *module;
    const char
        *name; /* NULL, in dangerous rows only: every name of the module and its submodules */
    sft_policy_class class;
    sft_role role;
    uint8_t flags;
    uint8_t dtype;   /* sft_dtype or SFT_NO_DTYPE, for roles that have one */
    const char *why; /* what it does, as a predicate: "starts programs" */
} sft_policy_entry;

/* A part of the policy; rows are in the order of sft_policy_order(), no two are alike. */
typedef struct sft_policy_table {
    const sft_policy_entry *rows;
    size_t count;
} sft_policy_table;

extern const sft_policy_table sft_policy_names;   /* allowed, exact pairs */
extern const sft_policy_table sft_policy_records; /* inert, exact pairs */
extern const sft_policy_table sft_policy_dangers; /* dangerous: exact pairs, and whole modules */

/* Compares two rows by module, then name; a row without a name comes first. */
int sft_policy_order(const sft_policy_entry *a, const sft_policy_entry *b);

/* The caller's own exact pairs, which become inert; "module.name" each, split at the last dot. */
typedef struct sft_policy {
    const sft_pair *inert;
    uint64_t inert_count;
} sft_policy;

typedef struct sft_policy_answer {
    sft_policy_class class;
    const sft_policy_entry *entry; /* NULL where unknown, or the caller's */
    bool dotted; /* the name holds a dot: looked up step by step from protocol 4 on */
} sft_policy_answer;

/*
 * What a name is: as it is spelled, and as Python 3 maps it when it reads protocols below 3; the
 * worse of the two counts. Dangerous comes first, then unknown; a dotted name is never better than
 * unknown. policy may be NULL.
 */
sft_policy_answer sft_policy_ask(const sft_policy *policy, const sft_pair *pair);

/* The answer for a GLOBAL of a graph; unknown where its names were computed. */
sft_policy_answer sft_policy_of(const sft_policy *policy, const sft_graph *graph, sft_ref ref);

/* The role of what an OBJECT's callee is, if that is an allowed or inert GLOBAL; else NONE. *entry
 * may be NULL, or receives the row. */
sft_role sft_policy_role(const sft_graph *graph, sft_ref callee, const sft_policy_entry **entry);

/* Python 2's name for Python 3's, as the unpickler maps it (fix_imports). True if it differs. */
bool sft_python2_name(const sft_pair *old, sft_pair *mapped);

#endif
