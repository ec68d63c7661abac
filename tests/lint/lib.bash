# Shared by the lint scripts: the project's C files, from the root of the tree.
cd "$(dirname "$0")/../.."

c_files() { # folders...
    local folder
    for folder in "$@"; do
        [ ! -d "$folder" ] || find "$folder" -name node_modules -prune -o -name '*.[ch]' -print
    done | sort
}

# Prints what it reads and fails if there was anything.
none_of() { # rule
    local found
    found=$(cat)
    [ -n "$found" ] || return 0
    printf '%s\n' "$found"
    printf '^ %s\n' "$1"
    return 1
}
