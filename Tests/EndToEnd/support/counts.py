"""Prints "PASSED FAILED" of a JUnit report, for deploy/test."""

import sys
import xml.etree.ElementTree as ElementTree

root = ElementTree.parse(sys.argv[1]).getroot()
suites = [root] if root.tag == "testsuite" else root.findall("testsuite")
number = lambda name: sum(int(suite.get(name, 0)) for suite in suites)
failed = number("failures") + number("errors")
print(max(number("tests") - number("skipped") - failed, 0), failed)
