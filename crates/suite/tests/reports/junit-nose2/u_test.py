import unittest, sys
class A(unittest.TestCase):
    def test_ok(self): print("out")
    def test_fail(self): self.fail("ünï <a&b>")
    def test_err(self): raise ValueError("boom")
    @unittest.skip("no")
    def test_skip(self): pass
    @unittest.expectedFailure
    def test_ef(self): self.fail()
    @unittest.expectedFailure
    def test_es(self): pass
    def test_sub(self):
        for i in range(4):
            with self.subTest(i=i): self.assertEqual(i % 2, 0)
    def test_sub_ok(self):
        for i in range(4):
            with self.subTest(i=i): pass
class B(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("class set-up")
    def test_b(self): pass
class C(unittest.TestCase):
    def setUp(self): raise RuntimeError("set-up")
    def test_c(self): pass
class D(unittest.TestCase):
    def tearDown(self): raise RuntimeError("tear-down")
    def test_d(self): self.fail("both")
class E(unittest.TestCase):
    @classmethod
    def tearDownClass(cls): raise RuntimeError("class tear-down")
    def test_e(self): pass
class F(unittest.TestCase):
    def test_doc(self):
        """A sentence. With dots (and brackets)"""
