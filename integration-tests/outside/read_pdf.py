"""Prints the text of a PDF, as another program than the one that wrote it reads it; blanks and line ends as one."""

import sys

from pypdf import PdfReader

text = " ".join(page.extract_text() for page in PdfReader(sys.argv[1]).pages)
print(" ".join(text.split()))
