#include <string.h>

#include "base/sort.h"
#include "pickle/policy.h"

/*
 * Where Python 3 looks for what Python 2 pickled: its unpickler maps names so below protocol 3,
 * unless fix_imports is off. A row for a pair goes before the row for its module.
 */
typedef struct moved {
    const char *old_module;
    const char *old_name; /* NULL: every name of the module keeps its name */
    const char *module;
    const char *name;
} moved;

#define MODULE(old, new)                                                                           \
    { old, NULL, new, NULL }
#define NAME(old_module, old_name, module, name)                                                   \
    { old_module, old_name, module, name }
#define EXCEPTION(name)                                                                            \
    { "exceptions", name, "builtins", name }

/* Sorted by old module, then old name, the module's own row first. */
static const moved table[] = {
    MODULE("BaseHTTPServer", "http.server"),
    MODULE("CGIHTTPServer", "http.server"),
    MODULE("ConfigParser", "configparser"),
    MODULE("Cookie", "http.cookies"),
    MODULE("Dialog", "tkinter.dialog"),
    MODULE("DocXMLRPCServer", "xmlrpc.server"),
    MODULE("FileDialog", "tkinter.filedialog"),
    MODULE("HTMLParser", "html.parser"),
    MODULE("Queue", "queue"),
    MODULE("ScrolledText", "tkinter.scrolledtext"),
    MODULE("SimpleDialog", "tkinter.simpledialog"),
    MODULE("SimpleHTTPServer", "http.server"),
    MODULE("SimpleXMLRPCServer", "xmlrpc.server"),
    MODULE("SocketServer", "socketserver"),
    MODULE("StringIO", "io"),
    MODULE("Tix", "tkinter.tix"),
    MODULE("Tkconstants", "tkinter.constants"),
    MODULE("Tkdnd", "tkinter.dnd"),
    MODULE("Tkinter", "tkinter"),
    MODULE("UserDict", "collections"),
    NAME("UserDict", "IterableUserDict", "collections", "UserDict"),
    NAME("UserDict", "UserDict", "collections", "UserDict"),
    MODULE("UserList", "collections"),
    NAME("UserList", "UserList", "collections", "UserList"),
    MODULE("UserString", "collections"),
    NAME("UserString", "UserString", "collections", "UserString"),
    MODULE("__builtin__", "builtins"),
    NAME("__builtin__", "basestring", "builtins", "str"),
    NAME("__builtin__", "intern", "sys", "intern"),
    NAME("__builtin__", "long", "builtins", "int"),
    NAME("__builtin__", "reduce", "functools", "reduce"),
    NAME("__builtin__", "unichr", "builtins", "chr"),
    NAME("__builtin__", "unicode", "builtins", "str"),
    NAME("__builtin__", "xrange", "builtins", "range"),
    MODULE("_abcoll", "collections.abc"),
    MODULE("_elementtree", "xml.etree.ElementTree"),
    NAME("_multiprocessing", "Connection", "multiprocessing.connection", "Connection"),
    NAME("_socket", "fromfd", "socket", "fromfd"),
    MODULE("_winreg", "winreg"),
    MODULE("anydbm", "dbm"),
    MODULE("cPickle", "pickle"),
    MODULE("cStringIO", "io"),
    MODULE("commands", "subprocess"),
    MODULE("cookielib", "http.cookiejar"),
    MODULE("copy_reg", "copyreg"),
    MODULE("dbhash", "dbm.bsd"),
    MODULE("dbm", "dbm.ndbm"),
    MODULE("dumbdbm", "dbm.dumb"),
    MODULE("dummy_thread", "_dummy_thread"),
    EXCEPTION("ArithmeticError"),
    EXCEPTION("AssertionError"),
    EXCEPTION("AttributeError"),
    EXCEPTION("BaseException"),
    EXCEPTION("BufferError"),
    EXCEPTION("BytesWarning"),
    EXCEPTION("DeprecationWarning"),
    EXCEPTION("EOFError"),
    EXCEPTION("EnvironmentError"),
    EXCEPTION("Exception"),
    EXCEPTION("FloatingPointError"),
    EXCEPTION("FutureWarning"),
    EXCEPTION("GeneratorExit"),
    EXCEPTION("IOError"),
    EXCEPTION("ImportError"),
    EXCEPTION("ImportWarning"),
    EXCEPTION("IndentationError"),
    EXCEPTION("IndexError"),
    EXCEPTION("KeyError"),
    EXCEPTION("KeyboardInterrupt"),
    EXCEPTION("LookupError"),
    EXCEPTION("MemoryError"),
    EXCEPTION("NameError"),
    EXCEPTION("NotImplementedError"),
    EXCEPTION("OSError"),
    EXCEPTION("OverflowError"),
    EXCEPTION("PendingDeprecationWarning"),
    EXCEPTION("ReferenceError"),
    EXCEPTION("RuntimeError"),
    EXCEPTION("RuntimeWarning"),
    NAME("exceptions", "StandardError", "builtins", "Exception"),
    EXCEPTION("StopIteration"),
    EXCEPTION("SyntaxError"),
    EXCEPTION("SyntaxWarning"),
    EXCEPTION("SystemError"),
    EXCEPTION("SystemExit"),
    EXCEPTION("TabError"),
    EXCEPTION("TypeError"),
    EXCEPTION("UnboundLocalError"),
    EXCEPTION("UnicodeDecodeError"),
    EXCEPTION("UnicodeEncodeError"),
    EXCEPTION("UnicodeError"),
    EXCEPTION("UnicodeTranslateError"),
    EXCEPTION("UnicodeWarning"),
    EXCEPTION("UserWarning"),
    EXCEPTION("ValueError"),
    EXCEPTION("Warning"),
    EXCEPTION("ZeroDivisionError"),
    MODULE("gdbm", "dbm.gnu"),
    MODULE("htmlentitydefs", "html.entities"),
    MODULE("httplib", "http.client"),
    NAME("itertools", "ifilter", "builtins", "filter"),
    NAME("itertools", "ifilterfalse", "itertools", "filterfalse"),
    NAME("itertools", "imap", "builtins", "map"),
    NAME("itertools", "izip", "builtins", "zip"),
    NAME("itertools", "izip_longest", "itertools", "zip_longest"),
    MODULE("markupbase", "_markupbase"),
    NAME("multiprocessing", "AuthenticationError", "multiprocessing.context",
         "AuthenticationError"),
    NAME("multiprocessing", "BufferTooShort", "multiprocessing.context", "BufferTooShort"),
    NAME("multiprocessing", "ProcessError", "multiprocessing.context", "ProcessError"),
    NAME("multiprocessing", "TimeoutError", "multiprocessing.context", "TimeoutError"),
    NAME("multiprocessing.forking", "Popen", "multiprocessing.popen_fork", "Popen"),
    NAME("multiprocessing.process", "Process", "multiprocessing.context", "Process"),
    MODULE("repr", "reprlib"),
    MODULE("robotparser", "urllib.robotparser"),
    NAME("socket", "_socketobject", "socket", "SocketType"),
    MODULE("test.test_support", "test.support"),
    MODULE("thread", "_thread"),
    MODULE("tkColorChooser", "tkinter.colorchooser"),
    MODULE("tkCommonDialog", "tkinter.commondialog"),
    MODULE("tkFileDialog", "tkinter.filedialog"),
    MODULE("tkFont", "tkinter.font"),
    MODULE("tkMessageBox", "tkinter.messagebox"),
    MODULE("tkSimpleDialog", "tkinter.simpledialog"),
    MODULE("ttk", "tkinter.ttk"),
    NAME("urllib", "ContentTooShortError", "urllib.error", "ContentTooShortError"),
    NAME("urllib", "getproxies", "urllib.request", "getproxies"),
    NAME("urllib", "pathname2url", "urllib.request", "pathname2url"),
    NAME("urllib", "quote", "urllib.parse", "quote"),
    NAME("urllib", "quote_plus", "urllib.parse", "quote_plus"),
    NAME("urllib", "unquote", "urllib.parse", "unquote"),
    NAME("urllib", "unquote_plus", "urllib.parse", "unquote_plus"),
    NAME("urllib", "url2pathname", "urllib.request", "url2pathname"),
    NAME("urllib", "urlcleanup", "urllib.request", "urlcleanup"),
    NAME("urllib", "urlencode", "urllib.parse", "urlencode"),
    NAME("urllib", "urlopen", "urllib.request", "urlopen"),
    NAME("urllib", "urlretrieve", "urllib.request", "urlretrieve"),
    MODULE("urllib2", "urllib.request"),
    NAME("urllib2", "HTTPError", "urllib.error", "HTTPError"),
    NAME("urllib2", "URLError", "urllib.error", "URLError"),
    MODULE("urlparse", "urllib.parse"),
    MODULE("whichdb", "dbm"),
    NAME("whichdb", "whichdb", "dbm", "whichdb"),
    MODULE("xmlrpclib", "xmlrpc.client"),
};

static int compare(const sft_pair *pair, const moved *row) {
    int order =
        sft_sort_bytes(pair->module, pair->module_length, row->old_module, strlen(row->old_module));
    if (order != 0) {
        return order;
    }
    if (pair->name == NULL || row->old_name == NULL) {
        return (pair->name != NULL) - (row->old_name != NULL);
    }
    return sft_sort_bytes(pair->name, pair->name_length, row->old_name, strlen(row->old_name));
}

static const moved *find(const sft_pair *pair) {
    size_t low = 0;
    size_t high = sizeof table / sizeof *table;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(pair, &table[middle]);
        if (order == 0) {
            return &table[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

bool sft_python2_name(const sft_pair *old, sft_pair *mapped) {
    const moved *row = find(old);
    *mapped = *old;
    if (row == NULL) {
        sft_pair whole = {old->module, old->module_length, NULL, 0};
        row = find(&whole);
    }
    if (row == NULL) {
        return false;
    }
    mapped->module = row->module;
    mapped->module_length = strlen(row->module);
    if (row->name != NULL) {
        mapped->name = row->name;
        mapped->name_length = strlen(row->name);
    }
    return true;
}
