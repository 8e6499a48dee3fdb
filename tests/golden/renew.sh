#!/bin/sh
# Writes the golden run files of the present format, in a folder of a plain name: a run file tells where its spec lay.
set -e
here=$(cd "$(dirname "$0")" && pwd)
mkdir /tmp/golden
trap 'rm -r /tmp/golden' EXIT
cp "$here/golden.yaml" "$here/golden-images.yaml" /tmp/golden
cd /tmp/golden
version=$(python -c "from laaf_cli.runfile import FORMAT_VERSION; print(FORMAT_VERSION)")
python -m laaf_cli solve golden.yaml --output run.h5 --quiet > /dev/null
mv run.h5 "$here/run-format-$version.h5"
python "$here/classify.py" classify golden-images.yaml --output run.h5 --quiet > /dev/null
mv run.h5 "$here/image-run-format-$version.h5"
