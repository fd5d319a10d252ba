import '@tensorflow/tfjs-backend-cpu'
