#!/bin/bash
# test.sh - the Python package as people get it: what is in the wheel, and an sdist that is
# installed in an empty folder. Runs in the top folder of the repository, without a network.
set -uo pipefail
if [ ! -e build/venv/tools/stamp ] || [ ! -e build/venv/demo/stamp ]; then
  echo 'skipped: build/venv/tools or build/venv/demo is not there: run scripts/setup.sh test'
  exit 77
fi
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
version=0.8.0+sft.$(sed -n 's/^#define SFT_VERSION_STRING "\(.*\)"/\1/p' include/sft/base.h)

# check NAME COMMAND... - one case; its output is shown only if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "failed: $name"
    sed 's/^/    /' "$work/output"
  fi
}

# The files of an archive, without the folder that they are all in.
listing() {
  case $1 in
  *.whl) python3 -m zipfile --list "$1" | awk 'NR > 1 {print $1}' ;;
  *) tar -tzf "$1" | cut -d / -f 2- ;;
  esac
}

makes_wheel() {
  scripts/package.sh wheel "$work/dist" && compgen -G "$work/dist/safetensors-$version-cp*.whl"
}

makes_sdist() {
  local before after
  before=$(git status --porcelain --ignored -- python 2>/dev/null)
  scripts/package.sh sdist "$work/dist" && [ -f "$work/dist/safetensors-$version.tar.gz" ] || return
  after=$(git status --porcelain --ignored -- python 2>/dev/null)
  [ "$before" = "$after" ]
}

# Every file of the package and its licence, the one extension, the command, and nothing else.
wheel_is_the_package() {
  listing "$work"/dist/*.whl | sed "s|^safetensors-[^/]*\.dist-info|INFO|; s|_sft\..*\.so$|_sft.so|" |
    sort >"$work/got"
  {
    (cd python/src && find safetensors -type f ! -name '*.pyc' ! -path '*/.*')
    printf '%s\n' safetensors/_sft.so safetensors/bin/sft INFO/METADATA INFO/RECORD INFO/WHEEL INFO/licenses/LICENSE
  } | sort >"$work/wanted"
  diff "$work/wanted" "$work/got"
}

sdist_has_the_library() {
  listing "$work"/dist/*.tar.gz | sort >"$work/got"
  {
    find CMakeLists.txt cli cmake include src -type f | sed 's|^|libsft/|'
    (cd python && find CMakeLists.txt pyproject.toml README.md LICENSE ext src -type f ! -name '*.pyc' ! -path '*/.*')
    (cd python && find LICENSE)
    printf '%s\n' libsft/LICENSE PKG-INFO
  } | sort -u >"$work/wanted"
  diff "$work/wanted" "$work/got"
}

# No path, name or folder of the machine that built it.
sdist_is_of_no_machine() {
  mkdir "$work/open" && tar -xzf "$work"/dist/*.tar.gz -C "$work/open" || return
  ! grep -rF -e "$top" -e "$HOME/" "$work/open"
}

# In an empty folder, with nothing of the repository in reach. NumPy and the build backend are
# borrowed from the project's environments.
installs_sdist() {
  local purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
  python3 -m venv "$work/venv" && mkdir "$work/empty" && cd "$work/empty" || return
  "$top/build/venv/tools/bin/python" -c "$purelib" >"$("$work/venv/bin/python" -c "$purelib")/tools.pth"
  "$work/venv/bin/python" -m pip install --no-build-isolation --no-deps --no-index \
    "$work"/dist/*.tar.gz && [ -z "$(ls -A)" ]
}

keeps_what_is_saved() {
  cd "$work/empty" && PYTHONPATH=$("$top/build/venv/demo/bin/python" -c \
    'import numpy, os; print(os.path.dirname(os.path.dirname(numpy.__file__)))') \
    "$work/venv/bin/python" - "$version" "$work" <<'PYTHON'
import importlib.metadata
import sys

# NumPy is borrowed together with the environment it is in, which has this package too.
borrowed = sys.path.pop(1)
import safetensors

sys.path.append(borrowed)
import numpy
import safetensors.numpy

version, work = sys.argv[1:]
assert safetensors.__file__.startswith(work), safetensors.__file__
assert safetensors.__version__ == version, safetensors.__version__
assert importlib.metadata.version("safetensors") == version
array = numpy.arange(6, dtype="float32").reshape(2, 3)
safetensors.numpy.save_file({"array": array}, "saved.safetensors", {"made": "here"})
back = safetensors.numpy.load_file("saved.safetensors")
assert list(back) == ["array"] and back["array"].dtype == array.dtype
assert (back["array"] == array).all()
with safetensors.safe_open("saved.safetensors", "np") as file:
    assert file.metadata() == {"made": "here"}
PYTHON
}

extension_exports_its_start() {
  python3 -m zipfile --extract "$work"/dist/*.whl "$work/wheel" || return
  [ "$(nm -D --defined-only --format=posix "$work"/wheel/safetensors/_sft.*.so | cut -d ' ' -f 1)" = PyInit__sft ]
}

# libsft is inside, in the extension and in the command.
extension_needs_little() {
  ! readelf -d "$work"/wheel/safetensors/_sft.*.so | grep NEEDED |
    grep -vE '\[(libc|libpthread|libz)\.so'
}

command_runs() {
  [ "$("$work/venv/bin/python" -m safetensors --version)" = "sft ${version#*+sft.}" ] &&
    "$work/venv/bin/python" -m safetensors check "$top/examples/digits/digits.safetensors" &&
    "$work/venv/bin/python" -m safetensors scan "$top/examples/digits/digits.pt" &&
    "$work/venv/bin/python" -m safetensors convert "$top/examples/digits/digits.pt" -o "$work/digits"
}

check 'a wheel' makes_wheel
check 'the wheel is the package' wheel_is_the_package
check 'the extension exports PyInit__sft alone' extension_exports_its_start
check 'the extension needs libc and zlib alone' extension_needs_little
check 'an sdist, without litter in python/' makes_sdist
check 'the sdist has the library' sdist_has_the_library
check 'the sdist names nothing of this machine' sdist_is_of_no_machine
check 'the sdist installs in an empty folder' installs_sdist
check 'what it saves it loads' keeps_what_is_saved
check 'the command, as python -m safetensors' command_runs
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
