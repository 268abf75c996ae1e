import CNghttp2
import COpenSSL
print("gatehouse")
